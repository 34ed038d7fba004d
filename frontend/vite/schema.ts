/** Makes `virtual:schema`: what Graphcache has to know of the SDL, without descriptions and inputs. */

import { readFileSync } from "node:fs";

import { minifyIntrospectionQuery } from "@urql/introspection";
import { buildSchema, introspectionFromSchema } from "graphql";
import type { Plugin } from "vite";

const SDL = new URL("../../schema/schema.graphql", import.meta.url);

export function schemaForCache(): Plugin {
  return {
    name: "schema-for-cache",
    resolveId: (id) => (id === "virtual:schema" ? "\0virtual:schema" : null),
    load(id) {
      if (id !== "\0virtual:schema") return null;
      const schema = minifyIntrospectionQuery(introspectionFromSchema(buildSchema(readFileSync(SDL, "utf8"))));
      for (const type of schema.__schema.types) withoutArguments(type as Fields);
      return `export default JSON.parse(${JSON.stringify(JSON.stringify(schema))});`;
    },
  };
}

interface Fields {
  fields?: { args?: unknown[] }[];
}

/** Graphcache reads the arguments from the documents. */
function withoutArguments({ fields }: Fields): void {
  for (const field of fields ?? []) field.args = [];
}
