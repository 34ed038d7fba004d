/** The subscriptions of a page over its socket. They continue after everything that passes. */

import type { Client as Socket, Sink, SubscribePayload } from "graphql-ws";

import { keepSubscribed, type Failure } from "../subscription";
import { report } from "./connection";
import { WORTH_REPEATING } from "./outcome";

/** A refusal arrives within this time. Some subscriptions send nothing before the first change. */
const REFUSED_WITHIN_MS = 5_000;

const running = new Set<symbol>();
/** The subscriptions that were refused, and are not known to have been accepted since. */
const waiting = new Set<symbol>();

/** Subscribes until the returned function is called. The sink does not learn of errors that pass. */
export function subscribeOver(socket: Socket, payload: SubscribePayload, sink: Sink): () => void {
  const subscription = Symbol("subscription");
  let accepted: ReturnType<typeof setTimeout> | undefined;
  running.add(subscription);
  const works = (): void => {
    clearTimeout(accepted);
    waiting.delete(subscription);
    report("subscription", waiting.size === 0);
  };
  const { stop } = keepSubscribed(socket, payload, {
    started: () => {
      if (waiting.has(subscription)) accepted = setTimeout(works, REFUSED_WITHIN_MS);
    },
    next: (result) => {
      works();
      sink.next(result);
    },
    failed: (failure) => {
      clearTimeout(accepted);
      if (mayPass(failure)) {
        waiting.add(subscription);
        report("subscription", false);
        return true;
      }
      works();
      if (failure.kind === "closed") report("live", false);
      sink.error(failure.kind === "closed" ? failure.reason : failure.errors);
      return false;
    },
    completed: () => sink.complete(),
  });
  return () => {
    stop();
    works();
    running.delete(subscription);
    // A socket without subscriptions does not reconnect, and then no longer counts as lost.
    if (running.size === 0) report("socket", true);
  };
}

/** Reports that the socket was closed, which matters only while something subscribes over it. */
export function reportClosed(isExpected: boolean): void {
  report("socket", isExpected || running.size === 0);
}

function mayPass(failure: Failure): boolean {
  return failure.kind === "refused" && WORTH_REPEATING.has(String(failure.errors[0]?.extensions?.code));
}
