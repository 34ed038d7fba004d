// What the story needs of a client, and the socket that all clients use.
import { createClient, type Client } from 'graphql-ws';

import type { documents } from './documents.js';

// The shape of the data depends on the document.
export type Data = any;
export type Name = keyof typeof documents;
export type Variables = Record<string, unknown>;

/** A client with a cache. A query always asks the server; a watched one shows the cache. */
export interface Shop {
  query(name: Name, variables: Variables): Promise<Data>;
  mutate(name: Name, variables: Variables): Promise<Data>;
  watch(name: Name, variables: Variables, show: (data: Data) => void): void;
  subscribe(name: Name, variables: Variables, push: (data: Data) => void): void;
}

export type Open = (token: string) => Shop;

export function openSocket(token: string): Client {
  return createClient({
    url: `${location.origin.replace(/^http/, 'ws')}/graphql`,
    connectionParams: async () => ({ Authorization: `Bearer ${token}` }),
    webSocketImpl: window.WebSocket,
    retryAttempts: Infinity,
    shouldRetry: () => true,
  });
}
