/** The normalized cache: one copy of each object, so a push also changes what earlier queries show. */

import { cacheExchange, type CacheExchangeOpts } from "@urql/exchange-graphcache";
import { mapExchange, type Exchange } from "urql";
import schema from "virtual:schema";

import { Newest } from "./newest";

interface SchemaType {
  kind: string;
  name: string;
  fields?: readonly { name: string }[];
}

/** Objects without an id have their place in the object that contains them. */
function keysOfEmbedded(): NonNullable<CacheExchangeOpts["keys"]> {
  const types = (schema.__schema as unknown as { types: SchemaType[] }).types;
  const embedded = types.filter(
    ({ kind, fields }) => kind === "OBJECT" && !fields?.some((field) => field.name === "id"),
  );
  return Object.fromEntries(embedded.map(({ name }) => [name, () => null]));
}

/** Returns the exchanges of a new, empty cache. Each person needs a cache of their own. */
export function cacheExchanges(): Exchange[] {
  const newest = new Newest();
  return [
    cacheExchange({ schema, keys: keysOfEmbedded() }),
    mapExchange({
      onResult: (result) => ({ ...result, data: newest.update(result.data as unknown) }),
    }),
  ];
}
