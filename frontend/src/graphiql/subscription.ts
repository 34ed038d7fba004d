/**
 * A subscription that is kept running: at most one operation at any time, and none once it is stopped. An error is
 * retried, each time later. A completion is final (the server says that nothing more can follow), until `resume`.
 */

import type { Client } from "graphql-ws";

const FIRST_RETRY_MS = 1_000;
/** A refusal may stay one for hours, and an outage ends at some time. */
const LONGEST_RETRY_MS = 30_000;

export interface KeptSubscription {
  /** Subscribes at once, unless it runs already: something happened after which the server may have more to say. */
  resume: () => void;
  /** Ends it for good. */
  stop: () => void;
}

interface Operation {
  query: string;
  variables: Record<string, unknown>;
}

/** `onData` gets each payload, and undefined for one without data. */
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
    // The client calls `complete` after `unsubscribe` too; only the current attempt may change anything.
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
