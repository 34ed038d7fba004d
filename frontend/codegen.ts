/** Writes the types of the pages' documents, from the SDL, into src/api/generated. */

import { addTypenameSelectionDocumentTransform } from "@graphql-codegen/client-preset";
import type { CodegenConfig } from "@graphql-codegen/cli";

// As in docs/frontend.md.
const options = {
  strictScalars: true,
  enumsAsTypes: true,
  scalars: { ID: "string", DateTime: "string", OffsetDateTime: "string", Decimal: "string", SafeInt: "number" },
  useTypeImports: true,
};

const config: CodegenConfig = {
  schema: "../schema/schema.graphql",
  documents: ["src/**/*.{ts,tsx}", "!src/api/generated/**", "!src/graphiql/**"],
  ignoreNoDocuments: true,
  generates: {
    "./src/api/generated/": {
      preset: "client",
      presetConfig: {
        fragmentMasking: false,
        persistedDocuments: { hashAlgorithm: "sha256" },
      },
      // Graphcache needs the type of each object. Written into the documents at build time, it is
      // part of the text that the hash covers.
      documentTransforms: [addTypenameSelectionDocumentTransform],
      config: options,
    },
  },
};

export default config;
