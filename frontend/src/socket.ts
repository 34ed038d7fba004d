/**
 * A page's only WebSocket (`graphql-transport-ws`). It reconnects whenever the connection is lost,
 * and then signs in again: with the tab's token, or with the cookie, which the browser sends
 * automatically.
 */

import { createClient, type Client } from "graphql-ws";

import { SESSION_LOST, type Sessions } from "./session";

const MAX_WAIT_MS = 10_000;
/** The server refuses the token or the session; it may be renewed at the next attempt. */
const FORBIDDEN = 4403;
/** Refused this often in a row, a person has to sign in again. */
const MAX_REFUSALS = 5;

export function openSocket(sessions: Sessions): Client {
  const client = createClient({
    url: new URL("/graphql", location.href).href.replace(/^http/, "ws"),
    connectionParams: async () => {
      const token = await sessions.accessToken();
      return token ? { Authorization: `Bearer ${token}` } : {};
    },
    retryAttempts: Number.POSITIVE_INFINITY,
    retryWait: (retries) => after(Math.min(500 * 2 ** retries, MAX_WAIT_MS) * (0.5 + Math.random())),
    // A clean close also needs a reconnect: the server restarted, or the token expired. The client
    // itself does not retry after 4400, 4401, 4406, 4409 and 4429, which are mistakes of the page. An
    // error without a code is a mistake, too.
    shouldRetry: (reason) => (reason instanceof Event || hasCode(reason)) && refusals < MAX_REFUSALS,
  });
  let refusals = 0;
  client.on("connected", () => {
    refusals = 0;
  });
  client.on("closed", (event) => {
    if (hasCode(event) && event.code === FORBIDDEN) refusals += 1;
    if (isLost(event)) sessions.lose();
  });
  let isKnown = sessions.isKnown();
  let name = sessions.current()?.name;
  sessions.subscribe(() => {
    // A socket belongs to the user who opened it; the browser has sent the cookie even if the page
    // did not know yet who it belongs to. A renewed token needs no action: the server closes the
    // socket when the old token expires.
    const next = sessions.current()?.name;
    if (isKnown && next !== name) client.terminate();
    name = next;
    isKnown = sessions.isKnown();
  });
  return client;
}

function hasCode(reason: unknown): reason is { code: number } {
  return typeof reason === "object" && reason !== null && "code" in reason;
}

function isLost(event: unknown): boolean {
  return event instanceof CloseEvent && event.reason.startsWith(SESSION_LOST);
}

function after(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}
