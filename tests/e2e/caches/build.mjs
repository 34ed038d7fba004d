// Writes the code blocks of docs/frontend.md and an introspection of the schema to build/guide, compiles
// the documents for Relay, and bundles the pages with them.
import { execFileSync } from 'node:child_process';
import { copyFile, mkdir, readFile, writeFile } from 'node:fs/promises';
import { build } from 'esbuild';
import { buildSchema, introspectionFromSchema } from 'graphql';

import { documents } from './documents.js';
import { readBlocks } from './guide.mjs';

const PAGES = ['apollo-page.ts', 'urql-page.ts', 'relay-page.ts'];

const sdl = await readFile('../../../schema/schema.graphql', 'utf8');
await mkdir('build/guide', { recursive: true });
const introspection = introspectionFromSchema(buildSchema(sdl), { oneOf: true });
await writeFile('build/guide/introspection.json', JSON.stringify(introspection));
for (const [name, text] of Object.entries(await readBlocks())) await writeFile(`build/guide/${name}`, text);

await mkdir('build/relay', { recursive: true });
await writeFile('build/shop.graphql', Object.values(documents).join('\n'));
const tagged = Object.values(documents).map((text) => `graphql\`${text}\`;\n`);
await writeFile('build/relay/shop.ts', `import { graphql } from 'relay-runtime';\n${tagged.join('')}`);
await copyFile('viewer.ts', 'build/relay/viewer.ts');
execFileSync('node_modules/.bin/relay-compiler', ['relay.json'], { stdio: ['ignore', 'ignore', 'inherit'] });
const artifact = (name) => `export { default as ${name} } from './__generated__/${name}.graphql';\n`;
await writeFile('build/relay/artifacts.ts', Object.keys(documents).map(artifact).join(''));
await build({
  entryPoints: PAGES,
  outdir: 'build/pages',
  bundle: true,
  format: 'iife',
  target: 'es2022',
  conditions: ['development'], // only development builds warn
  define: { 'process.env.NODE_ENV': '"development"', __DEV__: 'true' },
  logLevel: 'warning',
});
