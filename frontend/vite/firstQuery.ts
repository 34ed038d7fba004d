/** Tells the server which query an untouched `/` sends first, so that it can answer it in the page. */

import { existsSync, readFileSync } from "node:fs";

import type { Plugin } from "vite";

const NAME = "ConcertsPage";
/** The page imports the same file. */
const VARIABLES = new URL("../src/pages/concerts/first-variables.json", import.meta.url);

export function firstQuery(): Plugin {
  return {
    name: "first-query",
    apply: "build",
    generateBundle() {
      if (!existsSync(VARIABLES)) return;
      const variables = JSON.parse(readFileSync(VARIABLES, "utf8")) as unknown;
      this.emitFile({ type: "asset", fileName: "first-query.json", source: JSON.stringify({ name: NAME, variables }) });
    },
  };
}
