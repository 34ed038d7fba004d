// Compiles the TypeScript example of docs/frontend.md strictly, buys a ticket for each slug with it,
// and prints the orders as lines of JSON. Arguments: the example's source file, the origin of the
// server, an access token, and the slugs.
import ts from 'typescript';
import WebSocket from 'ws';

globalThis.WebSocket ??= WebSocket; // browsers and later versions of Node.js have one

const [source, origin, token, ...slugs] = process.argv.slice(2);
const options = {
  strict: true,
  noUncheckedIndexedAccess: true,
  exactOptionalPropertyTypes: true,
  target: ts.ScriptTarget.ES2022,
  module: ts.ModuleKind.NodeNext,
  moduleResolution: ts.ModuleResolutionKind.NodeNext,
  lib: ['lib.es2023.d.ts', 'lib.dom.d.ts', 'lib.dom.iterable.d.ts'],
  types: [],
  skipLibCheck: true,
  outDir: 'build/guide/out',
};
const program = ts.createProgram([source], options);
const diagnostics = [...ts.getPreEmitDiagnostics(program), ...program.emit().diagnostics];
if (diagnostics.length > 0) {
  console.error(ts.formatDiagnostics(diagnostics, { getCanonicalFileName: (name) => name, getCurrentDirectory: process.cwd, getNewLine: () => '\n' }));
  process.exit(1);
}
const { Shop } = await import(new URL('build/guide/out/shop.js', import.meta.url));
const shop = new Shop(origin, async () => token);
for (const slug of slugs) {
  console.log(JSON.stringify(await shop.buyOneTicket(slug, { name: 'Alice', email: 'alice@example.com' })));
}
await shop.close();
