/** Whether the server can be reached, as the last request and the socket have seen it. */

import { useSyncExternalStore } from "react";

export type Connection = "online" | "offline" | "reconnecting";

type Part = "request" | "socket";

const failing = new Set<Part>();
const listeners = new Set<() => void>();

export function report(part: Part, works: boolean): void {
  if (works === !failing.has(part)) return;
  if (works) failing.delete(part);
  else failing.add(part);
  for (const listener of listeners) listener();
}

function current(): Connection {
  if (!navigator.onLine) return "offline";
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
