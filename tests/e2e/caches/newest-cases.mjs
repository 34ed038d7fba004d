// Passes answers through the class of docs/frontend.md that keeps the newest. The argument is a list
// of cases in JSON, each a list of answers. Prints what becomes of the last answer of each case.
import { transform } from 'esbuild';

import { readBlocks } from './guide.mjs';

const { code } = await transform((await readBlocks())['newest.ts'], { loader: 'ts' });
const { Newest } = await import(`data:text/javascript,${encodeURIComponent(code)}`);
const last = (answers) => {
  const newest = new Newest();
  return answers.map((answer) => newest.update(answer)).at(-1);
};
console.log(JSON.stringify(JSON.parse(process.argv[2]).map(last)));
