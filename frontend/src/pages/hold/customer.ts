/** The name and the address on an order, as people paste them, and what can be wrong with them. */

export interface Customer {
  name: string;
  email: string;
}

export type CustomerField = keyof Customer;
export type CustomerRule = "EMPTY" | "TOO_LONG" | "INVALID_FORMAT" | "INVISIBLE";

export const MAX_NAME = 200;
const MAX_EMAIL = 254;

const BREAKS = /[\t\n\r\v\f\u0085\u2028\u2029]+/gu;
/**
 * Marks that a paste brings along and that no one sees: the byte order mark, soft hyphens, direction
 * marks. Joiners stay, because some scripts need them; the server knows where.
 */
const MARKS = /[\u0000-\u001f\u007f-\u009f\u00ad\u034f\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff]/gu;
const SPACES = /[\s\u00a0]+/gu;

export function cleanName(text: string): string {
  return text.replace(BREAKS, " ").replace(MARKS, "").replace(SPACES, " ").trim().normalize("NFC");
}

/** Also takes what mail programs copy: `mailto:ann@example.com` and `Ann <ann@example.com>`. */
export function cleanEmail(text: string): string {
  const line = cleanName(text);
  const inBrackets = /<([^<>]+)>$/u.exec(line)?.[1] ?? line;
  return inBrackets.replace(/^mailto:/iu, "").trim();
}

export function clean({ name, email }: Customer): Customer {
  return { name: cleanName(name), email: cleanEmail(email) };
}

/** What the page can see itself; the server has the last word. The values are cleaned already. */
export function problemsOf({ name, email }: Customer): Partial<Record<CustomerField, CustomerRule>> {
  return { ...rulesOfName(name), ...rulesOfEmail(email) };
}

function rulesOfName(name: string): { name?: CustomerRule } {
  if (name === "") return { name: "EMPTY" };
  if ([...name].length > MAX_NAME) return { name: "TOO_LONG" };
  return /[\p{L}\p{N}\p{P}\p{S}]/u.test(name) ? {} : { name: "INVISIBLE" };
}

function rulesOfEmail(email: string): { email?: CustomerRule } {
  if (email === "") return { email: "EMPTY" };
  if (email.length > MAX_EMAIL) return { email: "TOO_LONG" };
  return /^[^\s@]+@[^\s@.]+(\.[^\s@.]+)+$/u.test(email) ? {} : { email: "INVALID_FORMAT" };
}
