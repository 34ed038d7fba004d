// Reads the modules in docs/frontend.md: blocks of TypeScript that begin with the name of their file.
import { readFile } from 'node:fs/promises';

export async function readBlocks() {
  const guide = await readFile('../../../docs/frontend.md', 'utf8');
  const blocks = guide.matchAll(/```ts\n\/\/ ([\w-]+\.ts)\n(.*?)```/gs);
  return Object.fromEntries([...blocks].map(([, name, text]) => [name, text]));
}
