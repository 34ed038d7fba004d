/** The documents of the pages that are loaded, by the SHA-256 that the build has computed of each. */

import { createRequest, type DocumentInput } from "@urql/core";

/** A document that urql has parsed; its key is a hash of its text. */
type Node = DocumentInput & { __key: number };

const byHash = new Map<string, Node>();
const hashes = new Map<number, string>();

/** The build replaces each `graphql(…)` by a call of this function (vite/documents.ts). */
export function trustedDocument(text: string, hash: string): DocumentInput {
  const node = createRequest(text, {}).query as Node;
  byHash.set(hash, node);
  hashes.set(node.__key, hash);
  return node;
}

export const documentOf = (hash: string): Node | undefined => byHash.get(hash);

/** Graphcache copies a document, and the copy keeps its key. */
export const hashOf = (node: object): string => hashes.get((node as Node).__key) ?? "";
