/**
 * Puts the text and the SHA-256 of each GraphQL document into the page that uses it. Without this,
 * the generated module would load the documents of all pages with the first one.
 */

import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";

import { createRequest, stringifyDocument } from "@urql/core";
import type { Plugin } from "vite";

const GENERATED = new URL("../src/api/generated/persisted-documents.json", import.meta.url);
const CALL = /\bgraphql\(`([^`]*)`\)/g;
const OPERATION = /\b(?:query|mutation|subscription)\s+(\w+)/;

/** `variables` are the parts of the path that the operation needs. */
const FIRST_ANSWERS = [
  { path: "/", operation: "Concerts", variables: [] },
  { path: "/concerts/{slug}", operation: "Concert", variables: ["slug"] },
];

interface Document {
  text: string;
  hash: string;
}

/** Replaces `graphql(…)` by the document that codegen made of it, with its fragments. */
export function inlinedDocuments(): Plugin {
  return {
    name: "inlined-documents",
    enforce: "pre",
    transform(source, id) {
      if (!/\/src\/.*\.tsx?$/.test(id) || id.includes("/generated/") || !source.includes("graphql(`")) return null;
      const documents = readDocuments();
      const code = source.replace(CALL, (_, text: string) => {
        const name = OPERATION.exec(text)?.[1];
        if (!name) return "undefined"; // a fragment, which is part of the documents that use it
        const document = documents.get(name);
        if (!document) throw new Error(`${id}: run npm run codegen, because it has not seen ${name}`);
        return `trustedDocument(${JSON.stringify(document.text)}, ${JSON.stringify(document.hash)})`;
      });
      return { code: `import { trustedDocument } from "/src/api/document";\n${code}`, map: null };
    },
  };
}

/** Writes the documents of all pages by their SHA-256, as `ONSALE_TRUSTED_DOCUMENTS` takes them. */
export function trustedDocuments(): Plugin {
  return {
    name: "trusted-documents",
    apply: "build",
    generateBundle() {
      const byHash = Object.fromEntries([...readDocuments().values()].map(({ hash, text }) => [hash, text]));
      this.emitFile({ type: "asset", fileName: "trusted-documents.json", source: JSON.stringify(byHash, null, 1) });
      this.emitFile({ type: "asset", fileName: "first-answers.json", source: JSON.stringify(firstAnswers(), null, 1) });
    },
  };
}

/** Returns the document whose answer the server puts into each page (src/api/firstAnswer.ts). */
function firstAnswers(): { path: string; hash: string; variables: string[] }[] {
  const documents = readDocuments();
  return FIRST_ANSWERS.map(({ operation, ...rest }) => {
    const hash = documents.get(operation)?.hash;
    if (!hash) throw new Error(`vite/documents.ts names the operation ${operation}, which no page has`);
    return { ...rest, hash };
  });
}

/** Returns the documents by the name of their operation. */
function readDocuments(): Map<string, Document> {
  const texts = Object.values(JSON.parse(readFileSync(GENERATED, "utf8")) as Record<string, string>);
  return new Map(texts.map((text) => [OPERATION.exec(text)?.[1] ?? "", documentOf(text)]));
}

/** The client sends a document as it prints it, so the hash is that of the printed text. */
function documentOf(collapsed: string): Document {
  const text = stringifyDocument(createRequest(collapsed, {}).query);
  return { text, hash: createHash("sha256").update(text).digest("hex") };
}
