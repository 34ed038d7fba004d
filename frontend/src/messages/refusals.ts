/** Sentences for the errors of the API, by `code` and `rule`. */

import { useT } from "./i18n";
import type shared from "./en.json";

export interface Refusal {
  code: string;
  rule?: string | null;
  message: string;
  /** Further data of the error, which the sentence may contain, such as `available`. */
  [field: string]: unknown;
}

type Key = keyof typeof shared;

/** Returns the sentence in the person's language, or the server's if there is none for the code. */
export function useRefusal(): (error: Refusal) => string {
  const t = useT();
  return (error) => {
    const { code, rule, message } = error;
    const values = Object.fromEntries(Object.entries(error).filter(isPrintable));
    for (const key of rule ? [`refusal.${code}.${rule}`, `refusal.${code}`] : [`refusal.${code}`]) {
      const sentence = t(key as Key, values);
      if (sentence !== key) return sentence; // a missing text is returned as its key
    }
    return message;
  };
}

function isPrintable(entry: [string, unknown]): entry is [string, string | number] {
  return typeof entry[1] === "string" || typeof entry[1] === "number";
}
