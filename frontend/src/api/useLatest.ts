/** The last answer of a query, which a page keeps while the server cannot be reached. */

import { useState } from "react";

/** Returns the newest value that is not undefined. Another `owner`, such as a person, starts anew. */
export function useLatest<Value>(value: Value | undefined, owner: string): Value | undefined {
  const [latest, setLatest] = useState({ value, owner });
  const isNew = owner !== latest.owner || (value !== undefined && value !== latest.value);
  if (isNew) setLatest({ value, owner });
  return isNew ? value : latest.value;
}
