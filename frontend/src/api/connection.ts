/** Whether the server can be reached, as the last request and the socket have seen it. */

import { useEffect, useSyncExternalStore } from "react";

/** After "stopped", nothing is pushed until the page is loaded again. */
export type Connection = "online" | "offline" | "reconnecting" | "stopped";

type Part = "request" | "socket" | "subscription" | "live";

/** The pauses between looks for the server grow to this, so that many pages do not crowd it. */
const LONGEST_PAUSE_MS = 30_000;

const failing = new Set<Part>();
const listeners = new Set<() => void>();
let looking: ReturnType<typeof setTimeout> | undefined;

export function report(part: Part, works: boolean): void {
  if (works === !failing.has(part)) return;
  if (works) failing.delete(part);
  else failing.add(part);
  if (part === "request" && !works) lookAgain(1_000);
  for (const listener of listeners) listener();
}

/** Looks for the server until it answers. A socket does this itself. */
function lookAgain(pauseMs: number): void {
  clearTimeout(looking);
  if (!failing.has("request")) return;
  looking = setTimeout(() => {
    fetch("/livez", { method: "HEAD", cache: "no-store" }).then(
      ({ ok }) => (ok ? report("request", true) : lookAgain(Math.min(pauseMs * 2, LONGEST_PAUSE_MS))),
      () => lookAgain(Math.min(pauseMs * 2, LONGEST_PAUSE_MS)),
    );
  }, pauseMs * (0.5 + Math.random()));
}

// The device has a network again, so the next look need not wait.
addEventListener("online", () => lookAgain(200));

function current(): Connection {
  if (!navigator.onLine) return "offline";
  if (failing.has("live")) return "stopped";
  return failing.size > 0 ? "reconnecting" : "online";
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  addEventListener("online", listener);
  addEventListener("offline", listener);
  return () => {
    listeners.delete(listener);
    removeEventListener("online", listener);
    removeEventListener("offline", listener);
  };
}

export function useConnection(): Connection {
  return useSyncExternalStore(subscribe, current);
}

/** Calls `retry` when the server can be reached again, if the last attempt failed. */
export function useRetryWhenOnline(hasFailed: boolean, retry: () => void): void {
  const connection = useConnection();
  useEffect(() => {
    if (hasFailed && connection === "online") retry();
  }, [connection]);
}

const POLL_MS = 15_000;

/** Calls `refresh` from time to time while nothing is pushed. */
export function useRefreshWhileStopped(refresh: () => void): void {
  const isStopped = useConnection() === "stopped";
  useEffect(() => {
    if (!isStopped) return undefined;
    const timer = setInterval(refresh, POLL_MS);
    return () => clearInterval(timer);
  }, [isStopped, refresh]);
}

/** A page that was away for less time shows what it has. */
const FRESH_MS = 30_000;

/** Calls `refresh` when the person returns to a page that was out of sight for a while. */
export function useRefreshOnReturn(refresh: () => void): void {
  useEffect(() => {
    let leftAt = performance.now();
    const onChange = (): void => {
      if (document.visibilityState === "hidden") leftAt = performance.now();
      else if (performance.now() - leftAt > FRESH_MS) refresh();
    };
    document.addEventListener("visibilitychange", onChange);
    return () => document.removeEventListener("visibilitychange", onChange);
  }, [refresh]);
}
