import {
  commitMutation,
  createOperationDescriptor,
  fetchQuery,
  getSingularSelector,
  requestSubscription,
  type ConcreteRequest,
  type Environment,
  type SingularReaderSelector,
} from 'relay-runtime';

import { openRelay } from './build/guide/relay';
import orders from './build/relay/__generated__/viewer_orders.graphql';
import ordersQuery from './build/relay/__generated__/viewerOrdersQuery.graphql';
import pageQuery from './build/relay/__generated__/viewerPageQuery.graphql';
import * as artifacts from './build/relay/artifacts';
import { openSocket, type Data, type Name, type Shop, type Variables } from './shop';
import { buy, type Cast } from './story';

const openEnvironment = (token: string) => openRelay(location.origin, async () => token, openSocket(token));
const requests: Record<Name, ConcreteRequest> = artifacts;

const ask = (environment: Environment, request: ConcreteRequest, variables: Variables): Promise<Data> =>
  fetchQuery(environment, request, variables, { fetchPolicy: 'network-only' }).toPromise();

function open(token: string): Shop {
  const environment = openEnvironment(token);
  return {
    query: (name, variables) => ask(environment, requests[name], variables),
    mutate: (name, variables) =>
      new Promise((onCompleted, onError) => {
        commitMutation(environment, { mutation: requests[name], variables, onCompleted, onError });
      }),
    watch(name, variables, show) {
      const operation = createOperationDescriptor(requests[name], variables);
      environment.retain(operation);
      void ask(environment, requests[name], variables).then(() => {
        const snapshot = environment.lookup(operation.fragment);
        environment.subscribe(snapshot, ({ data }) => show(data));
        show(snapshot.data);
      });
    },
    subscribe(name, variables, push) {
      requestSubscription(environment, { subscription: requests[name], variables, onNext: push });
    },
  };
}

/** Reads the viewer's orders in a page's fragment, and again with the query made for the fragment. */
async function readOrders(token: string): Promise<Data> {
  const environment = openEnvironment(token);
  const read = async (request: ConcreteRequest, variables: Variables) => {
    await ask(environment, request, variables);
    const { fragment } = createOperationDescriptor(request, variables);
    const page = environment.lookup(fragment).data as Data;
    const selector = getSingularSelector(orders, page.viewer) as SingularReaderSelector;
    const found = environment.lookup(selector).data as Data;
    return found.orders.edges.map(({ node }: Data) => node.status);
  };
  return { page: await read(pageQuery, {}), refetched: await read(ordersQuery, { first: 10 }) };
}

Object.assign(window, {
  buy: async (cast: Cast) => {
    const report = await buy(open, cast);
    return { ...report, orders: await readOrders(cast.buyer) };
  },
});
