/**
 * Sends GraphiQL's operations to the server as the signed-in user: queries and mutations by POST,
 * subscriptions over the socket.
 */

import { createGraphiQLFetcher, type Fetcher, type FetcherOpts, type FetcherParams } from "@graphiql/toolkit";
import { type DocumentNode, getOperationAST, Kind, OperationTypeNode, parse } from "graphql";
import type { Client } from "graphql-ws";

import { fetchFrom, withReadableErrors } from "../network";
import { isSessionLost, type Sessions } from "../session";
import { type Memory, MissingValue } from "./memory";
import { readable } from "./readable";

/**
 * Dispatched for each answered mutation, and for each mutation whose response was lost, because it
 * may have been executed.
 */
export const MUTATION_ANSWERED = "mutation-answered";

export function makeFetcher(sessions: Sessions, socket: Client, memory: Memory, mutations: EventTarget): Fetcher {
  const send = createGraphiQLFetcher({
    url: "/graphql",
    wsClient: socket,
    enableIncrementalDelivery: false,
    fetch: (address, init) => sendSignedIn(address, init, sessions, memory),
  });
  return (operation, options) => {
    try {
      const sent = withOperationName({ ...operation, variables: memory.fill(operation.variables) }, options);
      const answer = readable(send(...sent));
      if (isMutation(...sent)) {
        const dispatch = (): boolean => mutations.dispatchEvent(new Event(MUTATION_ANSWERED));
        void Promise.resolve(answer).then(dispatch, dispatch);
      }
      return answer;
    } catch (error) {
      if (!(error instanceof MissingValue)) throw error;
      // Shown like a response from the server; GraphiQL would print the stack of a thrown error.
      return { errors: [{ message: error.message }] } as unknown as ReturnType<typeof send>;
    }
  };
}

/**
 * Takes the operation name from the document, because GraphiQL passes the name of the
 * previous tab's operation right after the tab has changed.
 */
function withOperationName(
  operation: FetcherParams,
  options: FetcherOpts | undefined,
): [FetcherParams, FetcherOpts | undefined] {
  const document = parsed(operation.query);
  if (!document) return [operation, options];
  const names = document.definitions.flatMap((part) =>
    part.kind === Kind.OPERATION_DEFINITION ? [part.name?.value ?? null] : [],
  );
  const operationName = names.length === 1 ? (names[0] ?? null) : operation.operationName;
  return [{ ...operation, operationName: operationName ?? null }, { ...options, documentAST: document }];
}

function isMutation({ operationName }: FetcherParams, options: FetcherOpts | undefined): boolean {
  const operation = options?.documentAST && getOperationAST(options.documentAST, operationName);
  return operation?.operation === OperationTypeNode.MUTATION;
}

function parsed(query: string): DocumentNode | null {
  try {
    return parse(query);
  } catch {
    return null; // the server reports the syntax error
  }
}

async function sendSignedIn(
  address: RequestInfo | URL,
  init: RequestInit | undefined,
  sessions: Sessions,
  memory: Memory,
): Promise<Response> {
  const response = await fetchFrom("The server", address, await sessions.signed(init));
  const text = await withReadableErrors("The server", () => response.text());
  const answer = readJson(text, response.status);
  if (isSessionLost(answer)) sessions.lose();
  memory.learn(answer);
  return new Response(text, response);
}

/** Parses a response. A proxy may return an HTML page if the server is unavailable. */
function readJson(text: string, status: number): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new Error(`The server answered with status ${status} and without a GraphQL response; try again later.`);
  }
}
