/**
 * Writes dist/sizes.json: what a browser loads for each page, in bytes after Brotli. A unit test
 * compares it with the limits.
 */

import { brotliCompressSync } from "node:zlib";

import type { Plugin, Rollup } from "vite";

interface Size {
  script: number;
  style: number;
}

const LANGUAGES = ["en", "de", "ar"];
/** The pages that the first script contains; the others are loaded when they are opened. */
const FIRST_PAGES = ["concerts", "concert"];
const PAGE = /\/src\/pages\/(\w+)\/(\w+)\.tsx$/;

export function sizes(): Plugin {
  return {
    name: "sizes",
    apply: "build",
    generateBundle(_, bundle) {
      const pages = pagesOf(bundle);
      this.emitFile({ type: "asset", fileName: "sizes.json", source: `${JSON.stringify(pages, null, 2)}\n` });
    },
  };
}

/** Returns the size of the first load, and what each further page adds to it. */
function pagesOf(bundle: Rollup.OutputBundle): Record<string, Size> {
  const chunks = Object.values(bundle).filter((file) => file.type === "chunk");
  const entry = chunks.find((chunk) => chunk.isEntry);
  if (!entry) throw new Error("the build has no entry");
  const first = filesOf(entry, bundle);
  const measured: Record<string, Size> = {
    first: added(first, new Set(), bundle, textsOf(["messages", ...FIRST_PAGES.map((page) => `pages/${page}/messages`)], chunks)),
  };
  for (const chunk of chunks) {
    const [, page, file] = PAGE.exec(chunk.facadeModuleId ?? "") ?? [];
    if (!page || !file || chunk.isEntry) continue;
    const texts = textsOf([`pages/${page}/messages`], chunks);
    measured[file === "page" ? page : `${page}/${file}`] = added(filesOf(chunk, bundle), first, bundle, texts);
  }
  return measured;
}

/** Returns the names of the chunk, of the chunks that it imports, and of their styles. */
function filesOf(chunk: Rollup.OutputChunk, bundle: Rollup.OutputBundle, found = new Set<string>()): Set<string> {
  if (found.has(chunk.fileName)) return found;
  found.add(chunk.fileName);
  for (const style of chunk.viteMetadata?.importedCss ?? []) found.add(style);
  for (const name of chunk.imports) {
    const imported = bundle[name];
    if (imported?.type === "chunk") filesOf(imported, bundle, found);
  }
  return found;
}

function added(files: Set<string>, known: Set<string>, bundle: Rollup.OutputBundle, texts: number): Size {
  const size = { script: texts, style: 0 };
  for (const name of files) {
    if (known.has(name)) continue;
    const bytes = compressedBytes(bundle[name]);
    if (name.endsWith(".css")) size.style += bytes;
    else size.script += bytes;
  }
  return size;
}

/** Returns the bytes of the texts in these folders, in the language that needs most. */
function textsOf(folders: string[], chunks: Rollup.OutputChunk[]): number {
  const totals = LANGUAGES.map((language) => {
    const endings = folders.map((folder) => `/src/${folder}/${language}.json`);
    const texts = chunks.filter(({ facadeModuleId }) => endings.some((ending) => facadeModuleId?.endsWith(ending)));
    return texts.reduce((sum, chunk) => sum + compressedBytes(chunk), 0);
  });
  return Math.max(...totals);
}

function compressedBytes(file: Rollup.OutputAsset | Rollup.OutputChunk | undefined): number {
  if (!file) return 0;
  return brotliCompressSync(file.type === "chunk" ? file.code : file.source).length;
}
