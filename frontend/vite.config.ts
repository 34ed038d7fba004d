import { defineConfig } from "vite";

// Every file is served by us from /assets under a name with its hash; nothing is inlined as data: but what Monaco's own
// styles hold, so that the page's policy can forbid nearly everything (web/pages.py).
export default defineConfig({
  logLevel: "warn",
  build: {
    outDir: "dist",
    assetsInlineLimit: 0,
    target: "es2022",
    rollupOptions: {
      input: "graphiql.html",
      // Libraries mark their files for servers that render React; we have none.
      onwarn: (warning, warn) => warning.code === "MODULE_LEVEL_DIRECTIVE" || warn(warning),
    },
    // Monaco is one large chunk, and the page needs all of it.
    chunkSizeWarningLimit: 6_000,
    reportCompressedSize: false,
  },
  worker: { format: "es" },
});
