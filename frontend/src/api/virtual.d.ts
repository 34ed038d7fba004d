declare module "virtual:schema" {
  import type { IntrospectionData } from "@urql/exchange-graphcache";
  const schema: IntrospectionData;
  export default schema;
}
