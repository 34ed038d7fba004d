/** The subscriptions of a page over its socket. They continue after everything that passes. */

import type { Client as Socket, Sink, SubscribePayload } from "graphql-ws";

import { keepSubscribed, type Failure } from "../subscription";
import { report } from "./connection";
import { WORTH_REPEATING } from "./outcome";

const running = new Set<symbol>();
/** The subscriptions that wait for their next attempt. */
const waiting = new Set<symbol>();

/** Subscribes until the returned function is called. The sink does not learn of errors that pass. */
export function subscribeOver(socket: Socket, payload: SubscribePayload, sink: Sink): () => void {
  const subscription = Symbol("subscription");
  running.add(subscription);
  const works = (): void => {
    waiting.delete(subscription);
    report("subscription", waiting.size === 0);
  };
  const { stop } = keepSubscribed(socket, payload, {
    next: (result) => {
      works();
      sink.next(result);
    },
    failed: (failure) => {
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

function mayPass(failure: Failure): boolean {
  return failure.kind === "refused" && WORTH_REPEATING.has(String(failure.errors[0]?.extensions?.code));
}
