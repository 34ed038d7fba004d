// Generates types for the documents that build.mjs has written, with graphql-codegen's client preset:
// from the committed SDL, and from an endpoint, which is the argument.
import { generate } from '@graphql-codegen/cli';
import { transform } from 'esbuild';

import { readBlocks } from './guide.mjs';

const [endpoint] = process.argv.slice(2);
const { code } = await transform((await readBlocks())['codegen-options.ts'], { loader: 'ts' });
const { options } = await import(`data:text/javascript,${encodeURIComponent(code)}`);
const types = { preset: 'client', config: options };
// Without these options, an introspection leaves out deprecated input fields and @oneOf.
const schema = { [endpoint]: { inputValueDeprecation: true, oneOf: true } };
await generate(
  {
    documents: 'build/shop.graphql',
    generates: {
      'build/types-of-sdl/': { ...types, schema: '../../../schema/schema.graphql' },
      'build/types-of-endpoint/': { ...types, schema },
    },
    silent: true,
  },
  true,
);
