/** Writes the assets once more in compressed form, which the server sends to browsers that accept it. */

import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";

import type { Plugin } from "vite";

const TEXT = /\.(js|css|html|svg|json)$/;
/** Smaller files gain nothing: the headers alone are as long. */
const SMALLEST_BYTES = 1_000;

/** Writes each asset a second and third time, compressed with Brotli and gzip. */
export function compressed(): Plugin {
  let folder = "";
  return {
    name: "compressed",
    apply: "build",
    configResolved(config) {
      folder = join(config.root, config.build.outDir);
    },
    closeBundle() {
      const assets = join(folder, "assets");
      for (const name of readdirSync(assets)) if (TEXT.test(name)) compressFile(join(assets, name));
    },
  };
}

function compressFile(path: string): void {
  const content = readFileSync(path);
  if (content.length < SMALLEST_BYTES) return;
  // Monaco's chunk takes a minute at quality 11, and is used only by developers.
  const quality = content.length > 1_000_000 ? 5 : 11;
  writeFileSync(`${path}.br`, brotliCompressSync(content, { params: { [constants.BROTLI_PARAM_QUALITY]: quality } }));
  writeFileSync(`${path}.gz`, gzipSync(content, { level: 9 }));
}
