/** The client of the API: documents by hash, one normalized cache, and one socket for all pushes. */

import { persistedExchange } from "@urql/exchange-persisted";
import type { Client as Socket, Sink, SubscribePayload } from "graphql-ws";
import {
  Client,
  fetchExchange,
  mapExchange,
  subscriptionExchange,
  type CombinedError,
  type Operation,
} from "urql";

import { fetchFrom } from "../network";
import { SESSION_LOST } from "../session";
import { cacheExchanges } from "./cache";
import { report } from "./connection";
import { hashOf } from "./document";
import { firstAnswerExchange } from "./firstAnswer";
import { subscribeOver } from "./pushes";
import { learnFromHeader } from "./serverClock";

/** How the requests of a person are signed; Sessions has both. */
export interface Credentials {
  signed(init: RequestInit | undefined): Promise<RequestInit>;
  lose(): void;
}

/** What urql hands over for a subscription. */
interface Unsent {
  query?: string | undefined;
  variables: unknown;
}

/** Makes a client with an empty cache. Call it again when another person signs in. */
export function openClient(credentials: Credentials, socket: Socket): Client {
  return new Client({
    url: new URL("/graphql", location.href).href,
    preferGetMethod: false,
    fetch: (url, init) => fetchSigned(credentials, url, init),
    exchanges: [
      mapExchange({ onError: (error) => isLost(error) && credentials.lose() }),
      ...cacheExchanges(),
      firstAnswerExchange(),
      persistedExchange({
        generateHash: (_, document) => Promise.resolve(hashOf(document)),
        preferGetForPersistedQueries: false,
        enableForMutation: true,
      }),
      fetchExchange,
      subscriptionExchange({
        forwardSubscription: (payload, operation) => ({
          subscribe: (sink) => ({ unsubscribe: subscribeOver(socket, withHash(payload, operation), sink as Sink) }),
        }),
      }),
    ],
  });
}

async function fetchSigned(credentials: Credentials, url: RequestInfo | URL, init?: RequestInit): Promise<Response> {
  const signed = await credentials.signed(init);
  const sentAt = performance.now();
  try {
    const response = await fetchFrom("The server", url, signed);
    learnFromHeader(response, sentAt);
    report("request", response.status < 500);
    return response;
  } catch (error) {
    if (!init?.signal?.aborted) report("request", false);
    throw error;
  }
}

/** Over a socket, the text is sent with its hash, because graphql-ws refuses messages without a text. */
function withHash({ query = "", variables }: Unsent, operation: Operation): SubscribePayload {
  const persistedQuery = { version: 1, sha256Hash: hashOf(operation.query) };
  return { query, variables: variables as Record<string, unknown>, extensions: { persistedQuery } };
}

function isLost(error: CombinedError): boolean {
  return error.graphQLErrors.some(({ extensions }) => extensions.code === SESSION_LOST);
}
