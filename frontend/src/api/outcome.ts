/** What a mutation has led to: its success, or a problem that the page explains to the person. */

import type { CombinedError } from "urql";

import type { Refusal } from "../messages/refusals";

interface Result {
  error?: CombinedError | undefined;
}

/** An error of the API, a top-level error, or `UNREACHABLE` if no answer arrived. */
export interface Problem extends Refusal {
  /** Whether the same request may succeed later. */
  retryable: boolean;
  retryAfterSeconds?: number | null;
}

type Named = { __typename: string };
export type SuccessOf<Payload> = Extract<Payload, { __typename: `${string}Success` }>;
type ErrorOf<Payload> = Exclude<Payload, { __typename: `${string}Success` }>;

export type Outcome<Payload> =
  | { success: SuccessOf<Payload>; problem?: undefined; refusal?: undefined }
  | { success?: undefined; problem: Problem; refusal?: ErrorOf<Payload> };

export const WORTH_REPEATING: ReadonlySet<string> = new Set(["UNREACHABLE", "RATE_LIMITED", "UNAVAILABLE"]);

/** `payload` is the field of the mutation: a success, or a type that implements DomainError. */
export function outcomeOf<Payload extends Named>(result: Result, payload: Payload | null | undefined): Outcome<Payload> {
  if (!payload) return { problem: problemOf(result.error) };
  if (payload.__typename.endsWith("Success")) return { success: payload as SuccessOf<Payload> };
  const refusal = payload as ErrorOf<Payload>;
  return { problem: refusal as unknown as Problem, refusal };
}

export function problemOf(error: CombinedError | undefined): Problem {
  const first = error?.graphQLErrors[0];
  const code = first ? String(first.extensions.code ?? "INTERNAL") : "UNREACHABLE";
  const wait = first?.extensions.retryAfterSeconds;
  return {
    ...first?.extensions,
    code,
    message: first?.message ?? error?.message ?? "",
    retryable: WORTH_REPEATING.has(code),
    retryAfterSeconds: typeof wait === "number" ? wait : null,
  };
}
