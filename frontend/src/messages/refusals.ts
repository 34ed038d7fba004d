/** Sentences for the errors of the API in the person's language (`refusals/*.json`). */

import type { CombinedError } from "urql";

import { useFormat } from "./format";
import { texts } from "./i18n";
import { findSentence, type Refusal } from "./sentences";

export type { Refusal };

type Texts = typeof import("./refusals/en.json");

const useSentences = texts<Texts>(import.meta.glob("./refusals/*.json"));

/** Returns the sentence for an error: what happened, and what to do next. */
export function useRefusal(): (error: Refusal) => string {
  const t = useSentences();
  const { dateTime } = useFormat();
  return (error) => findSentence((key, values) => t(key as keyof Texts, values), error, (time) => dateTime(time, null, "dateTime"));
}

/** Returns the sentence for a request that got no result, such as `useQuery`'s `error`. */
export function useFailure(): (error: CombinedError) => string {
  const refusal = useRefusal();
  return ({ graphQLErrors: [first], message }) => {
    if (!first) return refusal({ code: "UNREACHABLE", message });
    return refusal({ ...first.extensions, code: String(first.extensions.code), message: first.message });
  };
}
