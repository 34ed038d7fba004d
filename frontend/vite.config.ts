import { defineConfig } from "vite";

import { inlinedDocuments, trustedDocuments } from "./vite/documents";
import { compiledMessages } from "./vite/messages";
import { compressed } from "./vite/output";
import { schemaForCache } from "./vite/schema";
import { sizes } from "./vite/sizes";

const server = process.env.ONSALE_URL ?? "http://localhost:8000";

// `vite` serves the sources and passes the API's requests on. The Host header must stay as it is,
// because the server accepts sockets only from its own pages.
const proxy = Object.fromEntries(
  ["/graphql", "/pages", "/login", "/logout", "/media", "/schema.graphql"].map((path) => [
    path,
    { target: server, ws: path === "/graphql" },
  ]),
);

// The shop and GraphiQL are two builds, so that no file of the shop contains what only GraphiQL needs.
// `vite build` empties dist and builds the shop; `vite build --mode graphiql` adds GraphiQL.
export default defineConfig(({ mode }) => ({
  logLevel: "warn",
  server: { proxy },
  preview: { proxy },
  plugins: [
    inlinedDocuments(),
    compiledMessages(),
    schemaForCache(),
    compressed(),
    ...(mode === "graphiql" ? [] : [trustedDocuments(), sizes()]),
  ],
  // Every file is served from /assets under a name that contains its hash. No file is inlined as a
  // `data:` URL, except in Monaco's own styles, so that the pages can have a strict content security
  // policy (web/pages/policies.py).
  build: {
    outDir: "dist",
    assetsInlineLimit: 0,
    target: "es2022",
    emptyOutDir: mode !== "graphiql",
    manifest: mode === "graphiql" ? false : "manifest.json",
    rollupOptions: {
      input: mode === "graphiql" ? "graphiql.html" : "index.html",
      // Libraries contain "use client" directives for React Server Components, which we do not use.
      onwarn: (warning, warn) => warning.code === "MODULE_LEVEL_DIRECTIVE" || warn(warning),
    },
    // Monaco is one large chunk, and GraphiQL needs all of it.
    chunkSizeWarningLimit: 6_000,
    reportCompressedSize: false,
  },
  worker: { format: "es" },
  optimizeDeps: { entries: ["index.html"] },
}));
