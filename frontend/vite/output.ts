/** Writes the assets once more in compressed form, which the server sends to browsers that accept it. */

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";

import type { Plugin } from "vite";

const TEXT = /^assets\/.*\.(js|css|svg)$/;
/** Smaller files gain nothing: the headers alone are as long. */
const SMALLEST_BYTES = 1_000;

export function compressed(): Plugin {
  return {
    name: "compressed",
    apply: "build",
    writeBundle({ dir = "" }, bundle) {
      for (const name of Object.keys(bundle)) if (TEXT.test(name)) compressFile(join(dir, name));
    },
  };
}

function compressFile(path: string): void {
  const content = readFileSync(path);
  if (content.length < SMALLEST_BYTES) return;
  // Monaco's chunk takes a minute at quality 11, and is used only by developers.
  const quality = content.length > 500_000 ? 5 : 11;
  writeFileSync(`${path}.br`, brotliCompressSync(content, { params: { [constants.BROTLI_PARAM_QUALITY]: quality } }));
  writeFileSync(`${path}.gz`, gzipSync(content, { level: 9 }));
}
