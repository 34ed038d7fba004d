// Pages of the viewer's orders. build.mjs copies this module to the compiler.
import { graphql } from 'relay-runtime';

export const query = graphql`
  query viewerPageQuery {
    viewer {
      ...viewer_orders
    }
  }
`;

export const fragment = graphql`
  fragment viewer_orders on Viewer
  @refetchable(queryName: "viewerOrdersQuery")
  @argumentDefinitions(first: { type: "Int", defaultValue: 1 }, after: { type: "String" }) {
    id
    orders(first: $first, after: $after) @connection(key: "viewer_orders") {
      edges {
        node {
          id
          status
        }
      }
    }
  }
`;
