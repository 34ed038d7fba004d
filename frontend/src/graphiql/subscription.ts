/**
 * A subscription that is kept running. It has at most one operation at any time, and none after
 * `stop`. After an error it is retried, with a longer pause each time. A completion means that the
 * server has nothing more to send; the subscription then stops until `resume` is called.
 */

import type { Client } from "graphql-ws";

const FIRST_RETRY_MS = 1_000;
/** A refusal may last for hours, but after an outage the next retry must come soon. */
const LONGEST_RETRY_MS = 30_000;

export interface KeptSubscription {
  /** Subscribes again unless already subscribed. Call this if the server may have more to send. */
  resume: () => void;
  /** Ends the subscription permanently. */
  stop: () => void;
}

interface Operation {
  query: string;
  variables: Record<string, unknown>;
}

/** Subscribes, and calls `onData` with the data of each payload, or undefined if it has none. */
export function keepSubscribed<Data>(
  socket: Client,
  operation: Operation,
  onData: (data: Data | undefined) => void,
): KeptSubscription {
  let current: symbol | null = null;
  let isStopped = false;
  let unsubscribe = (): void => undefined;
  let retryTimer: ReturnType<typeof setTimeout> | undefined;
  let retryMs = FIRST_RETRY_MS;

  const resume = (): void => {
    if (isStopped || current) return;
    clearTimeout(retryTimer);
    // The client also calls `complete` after `unsubscribe`, so outdated attempts are ignored.
    const attempt = Symbol("attempt");
    current = attempt;
    const hasEnded = (): boolean => {
      if (current !== attempt) return false;
      current = null;
      return true;
    };
    unsubscribe = socket.subscribe<Data>(operation, {
      next: (result) => {
        if (current !== attempt) return;
        retryMs = FIRST_RETRY_MS;
        onData(result.data ?? undefined);
      },
      error: () => {
        if (!hasEnded()) return;
        retryTimer = setTimeout(resume, retryMs);
        retryMs = Math.min(2 * retryMs, LONGEST_RETRY_MS);
      },
      complete: hasEnded,
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
