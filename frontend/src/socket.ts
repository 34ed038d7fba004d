/** The one WebSocket of a page, `graphql-transport-ws`. It comes back after every loss and then signs in anew. */

import { createClient, type Client } from "graphql-ws";

import type { Sessions } from "./session";

const LONGEST_WAIT_MS = 10_000;

export function openSocket(sessions: Sessions): Client {
  const client = createClient({
    url: new URL("/graphql", location.href).href.replace(/^http/, "ws"),
    connectionParams: async () => {
      const token = await sessions.accessToken();
      return token ? { Authorization: `Bearer ${token}` } : {};
    },
    retryAttempts: Number.POSITIVE_INFINITY,
    retryWait: (retries) => after(Math.min(500 * 2 ** retries, LONGEST_WAIT_MS) * (0.5 + Math.random())),
    // A clean close from the server is no reason to give up either: it deploys, or our token ended.
    shouldRetry: () => true,
  });
  let name = sessions.current()?.name;
  sessions.subscribe(() => {
    // A socket belongs to the user who opened it. A renewed token needs nothing: the server closes it when the old one ends.
    const next = sessions.current()?.name;
    if (next !== name) client.terminate();
    name = next;
  });
  return client;
}

function after(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}
