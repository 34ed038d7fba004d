/** A query whose last answer a page keeps while the server cannot be reached. */

import { useCallback, useState } from "react";
import { useQuery, type AnyVariables, type TypedDocumentNode } from "urql";

import { problemOf, type Problem } from "./outcome";

interface Kept<Data> {
  data: Data | undefined;
  isLoading: boolean;
  /** Why there is no answer at all. */
  problem: Problem | null;
  /** Asks the server again. If that fails, for example offline, the answer stays. */
  refresh: () => void;
}

/** Another `owner`, such as a person, starts anew. */
export function useKeptQuery<Data, Variables extends AnyVariables>(
  query: TypedDocumentNode<Data, Variables>,
  variables: Variables,
  owner: string,
): Kept<Data> {
  const [{ data: answer, error, fetching }, execute] = useQuery({
    query,
    variables,
    requestPolicy: "cache-and-network",
  });
  const refresh = useCallback(() => execute({ requestPolicy: "network-only" }), [execute]);
  const data = useLatest(answer ?? undefined, owner);
  return { data, isLoading: fetching && !data, problem: !data && error ? problemOf(error) : null, refresh };
}

/** Returns the newest value that is not undefined. */
function useLatest<Value>(value: Value | undefined, owner: string): Value | undefined {
  const [latest, setLatest] = useState({ value, owner });
  const isNew = owner !== latest.owner || (value !== undefined && value !== latest.value);
  if (isNew) setLatest({ value, owner });
  return isNew ? value : latest.value;
}
