/**
 * Finds the sentence for an error of the API: by its `code`, by its rule (the value of an enum in
 * it, such as `reason: WRONG_PERSON`), and by the numbers and times that it contains.
 */

/** An error as a page has selected it. Fields may have any alias. */
export interface Refusal {
  code: string;
  rule?: string | null | undefined;
  message: string;
  [field: string]: unknown;
}

/** The fields that a sentence may contain. A sentence that contains more of them comes first. */
const DETAILS = [
  ["minimum", "maximum"],
  ["given", "maximum"],
  ["minimum"],
  ["maximum"],
  ["step"],
  ["position"],
  ["available"],
  ["limit"],
  ["lowest"],
  ["refundable"],
  ["ticketsPerOrder"],
  ["opensAt"],
  ["refundsUntil"],
  ["retryAfterSeconds"],
];
const TIME = /^\d{4}-\d\d-\d\dT/;
const RULE = /^[A-Z][A-Z_]+$/;

export type Values = Record<string, string | number>;
/** Returns the text of a key, or the key if there is no text. */
export type Translate = (key: string, values: Values) => string;

/** Returns the sentence, or the server's if there is none for the code. */
export function findSentence(t: Translate, error: Refusal, showTime: (time: string) => string): string {
  const { code, message, ...fields } = withFirstProblem(error);
  const values = printable(fields, showTime);
  const rules = Object.values(fields).filter((value): value is string => typeof value === "string" && RULE.test(value));
  for (const base of [...rules.map((rule) => `${code}.${rule}`), code]) {
    const details = DETAILS.filter((names) => names.every((name) => name in values)).map((names) => names.join("+"));
    for (const key of [...details.map((names) => `refusal.${base}+${names}`), `refusal.${base}`]) {
      const sentence = t(key, values);
      if (sentence !== key) return sentence;
    }
  }
  return message;
}

/** The first problem of an input says more than "the input has problems". */
function withFirstProblem(error: Refusal): Refusal {
  const [problem] = Array.isArray(error.problems) ? (error.problems as Partial<Refusal>[]) : [];
  return problem ? { ...error, ...problem, code: error.code, message: problem.message ?? error.message } : error;
}

function printable(fields: Record<string, unknown>, showTime: (time: string) => string): Values {
  const values: Values = {};
  for (const [name, value] of Object.entries(fields)) {
    if (typeof value === "number") values[name] = value;
    if (typeof value === "string") values[name] = TIME.test(value) ? showTime(value) : value;
  }
  return values;
}
