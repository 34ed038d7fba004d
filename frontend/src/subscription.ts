/**
 * A subscription that is kept running. It has at most one operation at any time, and none after
 * `stop`. After an error that may pass it is retried, with a longer pause each time. A completion
 * means that the server has nothing more to send; the subscription then stops until `resume` is
 * called.
 */

import type { Client, FormattedExecutionResult, SubscribePayload } from "graphql-ws";

const FIRST_RETRY_MS = 1_000;
/** A refusal may last for hours, but after an outage the next retry must come soon. */
const LONGEST_RETRY_MS = 30_000;

export interface KeptSubscription {
  /** Subscribes again unless already subscribed. Call this if the server may have more to send. */
  resume: () => void;
  /** Ends the subscription permanently. */
  stop: () => void;
}

export interface Handlers<Data> {
  /** Called before each attempt. */
  started?(): void;
  next(result: FormattedExecutionResult<Data, unknown>): void;
  /** Returns whether to retry. Without a retry, the subscription stops until `resume` is called. */
  failed(failure: Failure): boolean;
  completed?(): void;
}

export type Failure =
  /** The server has refused the operation. */
  | { kind: "refused"; errors: NonNullable<FormattedExecutionResult["errors"]> }
  /** The socket was closed with a code after which it does not connect again. */
  | { kind: "closed"; reason: unknown };

export function keepSubscribed<Data>(
  socket: Client,
  operation: SubscribePayload,
  handlers: Handlers<Data>,
): KeptSubscription {
  let current: symbol | null = null;
  let isStopped = false;
  let unsubscribe = (): void => undefined;
  let retryTimer: ReturnType<typeof setTimeout> | undefined;
  let retryMs = FIRST_RETRY_MS;

  const resume = (): void => {
    if (isStopped || current) return;
    clearTimeout(retryTimer);
    handlers.started?.();
    // The client also calls `complete` after `unsubscribe`, so outdated attempts are ignored.
    const attempt = Symbol("attempt");
    current = attempt;
    /** An operation without any data was refused, but it ends with a completion. */
    let refusal: Failure | null = null;
    const end = (failure: Failure | null): void => {
      if (current !== attempt) return;
      current = null;
      if (!failure) return handlers.completed?.();
      if (!handlers.failed(failure)) return;
      retryTimer = setTimeout(resume, retryMs * (0.5 + Math.random()));
      retryMs = Math.min(2 * retryMs, LONGEST_RETRY_MS);
    };
    unsubscribe = socket.subscribe<Data>(operation, {
      next: (result) => {
        if (current !== attempt) return;
        refusal = result.errors && !result.data ? { kind: "refused", errors: result.errors } : null;
        if (refusal) return;
        retryMs = FIRST_RETRY_MS;
        handlers.next(result);
      },
      error: (reason) => end(Array.isArray(reason) ? { kind: "refused", errors: reason } : { kind: "closed", reason }),
      complete: () => end(refusal),
    });
  };

  const stop = (): void => {
    isStopped = true;
    current = null;
    clearTimeout(retryTimer);
    unsubscribe();
  };

  resume();
  return { resume, stop };
}
