import { defineConfig } from "vite";

// We serve every file from /assets under a name with its hash. Nothing is inlined as data: except
// what Monaco's own styles contain, so that the page's content security policy can be strict
// (web/pages.py).
export default defineConfig({
  logLevel: "warn",
  build: {
    outDir: "dist",
    assetsInlineLimit: 0,
    target: "es2022",
    rollupOptions: {
      input: "graphiql.html",
      // Libraries mark files for React rendering on a server, which we do not use.
      onwarn: (warning, warn) => warning.code === "MODULE_LEVEL_DIRECTIVE" || warn(warning),
    },
    // Monaco is one large chunk, and the page needs all of it.
    chunkSizeWarningLimit: 6_000,
    reportCompressedSize: false,
  },
  worker: { format: "es" },
});
