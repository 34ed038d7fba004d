/**
 * The server's clock. Devices are often minutes wrong, so every countdown uses this one. Times are
 * in Unix milliseconds.
 */

import { useSyncExternalStore } from "react";

const SECOND = 1_000;

/**
 * The limits of what the server's time can be at `performance.now() === 0`. Each answer narrows
 * them: its Date header is the server's time in whole seconds, between the request and the answer.
 */
let earliest = Number.NEGATIVE_INFINITY;
let latest = Number.POSITIVE_INFINITY;

/** Learns from an answer whose request was sent, and which arrived, at these `performance.now()`. */
export function learn(serverMs: number, sentAt: number, arrivedAt: number, resolutionMs: number): void {
  if (!Number.isFinite(serverMs)) return;
  const low = serverMs - arrivedAt;
  const high = serverMs + resolutionMs - sentAt;
  // The limits contradict each other after the device has slept, or the server's clock was set.
  const isConsistent = low <= latest && high >= earliest;
  earliest = isConsistent ? Math.max(earliest, low) : low;
  latest = isConsistent ? Math.min(latest, high) : high;
}

export function learnFromHeader(response: Response, sentAt: number): void {
  learn(Date.parse(response.headers.get("Date") ?? ""), sentAt, performance.now(), SECOND);
}

/** Returns the server's time now; until the first answer has arrived, the device's. */
export function serverNow(): number {
  if (!Number.isFinite(earliest)) return Date.now();
  return (earliest + latest) / 2 + performance.now();
}

/** Returns the server's time, renewed every `intervalMs`. */
export function useNow(intervalMs = SECOND): number {
  const ticks = useSyncExternalStore(
    (listener) => everyTick(intervalMs, listener),
    () => Math.floor(serverNow() / intervalMs),
  );
  return ticks * intervalMs;
}

/** Returns the whole seconds that are left, at least 0, or null without an instant. */
export function useSecondsUntil(instant: string | number | null | undefined): number | null {
  const now = useNow();
  if (instant === null || instant === undefined) return null;
  const at = typeof instant === "number" ? instant : Date.parse(instant);
  return Math.max(Math.floor((at - now) / SECOND), 0);
}

/** Returns whether the instant has passed; it renders again only when that changes. */
export function useHasPassed(instant: string | null | undefined): boolean {
  const at = instant ? Date.parse(instant) : Number.POSITIVE_INFINITY;
  return useSyncExternalStore(
    (listener) => everyTick(SECOND, listener),
    () => serverNow() >= at,
  );
}

/** Calls the listener just after each full interval, and when the page becomes visible again. */
function everyTick(intervalMs: number, listener: () => void): () => void {
  let timer: ReturnType<typeof setTimeout>;
  const tick = (): void => {
    listener();
    clearTimeout(timer);
    timer = setTimeout(tick, intervalMs - (serverNow() % intervalMs) + 1);
  };
  timer = setTimeout(tick, intervalMs - (serverNow() % intervalMs) + 1);
  document.addEventListener("visibilitychange", tick);
  return () => {
    clearTimeout(timer);
    document.removeEventListener("visibilitychange", tick);
  };
}
