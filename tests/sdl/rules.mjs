// The rules for schema/schema.graphql. Each rule that is off has a reason.
import plugin from "@graphql-eslint/eslint-plugin";

const RECOMMENDED = plugin.configs["flat/schema-recommended"].rules;
const RELAY = plugin.configs["flat/schema-relay"].rules;

export const rulesFor = (schema) => ({
  files: ["**/*.graphql"],
  languageOptions: { parser: plugin.parser, parserOptions: { graphQLConfig: { schema } } },
  plugins: { "@graphql-eslint": plugin },
  rules: {
    ...RECOMMENDED,
    ...RELAY,
    "@graphql-eslint/require-description": [
      "error",
      { types: true, rootField: true, FieldDefinition: true, InputValueDefinition: true, DirectiveDefinition: true },
    ],
    "@graphql-eslint/input-name": ["error", { checkInputType: true, caseSensitiveInputType: false }],
    "@graphql-eslint/require-nullable-fields-with-oneof": "error",
    // A short list that always fits into one answer, such as the tiers of a concert, needs no pages.
    "@graphql-eslint/relay-edge-types": "off",
    // Values such as Money, and the results of mutations, are not objects that can be fetched again.
    "@graphql-eslint/strict-id-in-types": "off",
    // A mutation reports what it refuses in its result union, and `concerts` and `serverTime` have
    // nothing to refuse, so null would have no meaning.
    "@graphql-eslint/require-nullable-result-in-root": "off",
  },
});
