// Runs persisted operations with Apollo Client, urql, graphql-ws and graphql-sse, each twice, and
// prints one line of JSON for each run: what the client received, and what it sent (the method, and
// the document unless it sent only the hash). The last argument makes the documents of this process
// different from the documents of others.
import { createHash } from 'node:crypto';
import { ApolloClient, gql, HttpLink, InMemoryCache } from '@apollo/client';
import { PersistedQueryLink } from '@apollo/client/link/persisted-queries';
import { GraphQLWsLink } from '@apollo/client/link/subscriptions';
import { persistedExchange } from '@urql/exchange-persisted';
import { createClient as createStreamClient } from 'graphql-sse';
import { createClient as createSocketClient } from 'graphql-ws';
import { Client, fetchExchange, subscriptionExchange } from 'urql';
import WebSocket from 'ws';

globalThis.WebSocket ??= WebSocket; // Apollo's link reads it, and Node.js 20 has none

const [url, concertId, token, name] = process.argv.slice(2);
const headers = { Authorization: `Bearer ${token}` };
const variables = { id: concertId };
const query = (part) => `query ${part}_${name}($id: ID!) {\n  concert(id: $id) {\n    id\n    __typename\n  }\n}`;
const subscription = (part) =>
  `subscription ${part}_${name}($id: ID!) {\n  stockChanged(concertId: $id) {\n    soldOut\n    __typename\n  }\n}`;
const mutation = (part) =>
  `mutation ${part}_${name}($id: ID!) {\n  leaveQueue(input: {concertId: $id}) {\n    __typename\n  }\n}`;
const sha256 = (text) => createHash('sha256').update(text).digest('hex');

let sent = [];
const record = (method, request) => sent.push({ method, query: request.query || null });

const recordingFetch = async (input, options = {}) => {
  const method = options.method ?? 'GET';
  record(method, method === 'GET' ? Object.fromEntries(new URL(input).searchParams) : JSON.parse(options.body));
  return fetch(input, options);
};
class RecordingSocket extends WebSocket {
  send(text, ...rest) {
    const message = JSON.parse(text);
    if (message.type === 'subscribe') record('socket', message.payload);
    super.send(text, ...rest);
  }
}
const socketClient = createSocketClient({
  url: url.replace('http', 'ws'),
  webSocketImpl: RecordingSocket,
  connectionParams: headers,
});
const streamClient = createStreamClient({ url, headers, fetchFn: recordingFetch, retryAttempts: 0 });

const apollo = (useGETForHashedQueries) => {
  const persisted = new PersistedQueryLink({ sha256, useGETForHashedQueries });
  const http = new HttpLink({ uri: url, headers, fetch: recordingFetch });
  return new ApolloClient({ link: persisted.concat(http), cache: new InMemoryCache() });
};
const apolloSocket = () => {
  const link = new PersistedQueryLink({ sha256 }).concat(new GraphQLWsLink(socketClient));
  return new ApolloClient({ link, cache: new InMemoryCache() });
};
// The first result that a graphql-ws or graphql-sse client gets. An error is a result too.
const first = (client, payload) =>
  new Promise((resolve) => {
    const unsubscribe = client.subscribe(withText(payload), {
      next: (result) => resolve([result, unsubscribe]),
      error: (error) => resolve([Array.isArray(error) ? { errors: error } : { failed: String(error) }, () => {}]),
      complete() {},
    });
  }).then(([result, unsubscribe]) => {
    unsubscribe();
    return result;
  });
const urql = (preferGetForPersistedQueries, subscriptionClient) =>
  new Client({
    url,
    fetch: recordingFetch,
    fetchOptions: { headers },
    exchanges: [
      persistedExchange({ preferGetForPersistedQueries, enableForMutation: true, enableForSubscriptions: true }),
      fetchExchange,
      subscriptionExchange({
        forwardSubscription: (payload) => ({
          subscribe: (sink) => ({ unsubscribe: subscriptionClient.subscribe(withText(payload), sink) }),
        }),
      }),
    ],
  });
const shown = ({ data, error, errors, failed }) => {
  const found = errors ?? error?.errors ?? error?.graphQLErrors ?? [];
  return { data: data ?? null, codes: found.map(({ extensions }) => extensions.code), failed: failed ?? null };
};
// The first result of a subscription in Apollo Client or urql.
const firstOf = (source) =>
  new Promise((resolve) => {
    const end = (result) => {
      // `subscribe` may deliver a result before it returns.
      setTimeout(() => {
        subscribed.unsubscribe();
        resolve(result);
      });
    };
    const observer = { next: end, error: (error) => end({ error }) };
    const subscribed = source.subscribe(source.pipe ? observer : end);
  });
const ask = (client, document) =>
  client.query({ query: gql(document), variables, fetchPolicy: 'network-only', errorPolicy: 'all' });
// The message check of graphql-ws requires a string, which may be empty.
const withText = (payload) => ({ ...payload, query: payload.query ?? '' });
const byHash = (text) => ({ variables, extensions: { persistedQuery: { version: 1, sha256Hash: sha256(text) } } });
// graphql-ws and graphql-sse have no persisted queries of their own, so they send what a link sends.
const withHash = async (client, text) => {
  const result = await first(client, byHash(text));
  const isUnknown = result.errors?.[0].message === 'PersistedQueryNotFound';
  return isUnknown ? first(client, { query: text, ...byHash(text) }) : result;
};
const byId = (client, text) => first(client, { variables, documentId: `sha256:${sha256(text)}` });

const runs = {
  apolloPost: () => [apollo(false), (client) => ask(client, query('ApolloPost'))],
  apolloGet: () => [apollo(true), (client) => ask(client, query('ApolloGet'))],
  apolloMutation: () => [
    apollo(true),
    (client) => client.mutate({ mutation: gql(mutation('ApolloMutation')), variables, errorPolicy: 'all' }),
  ],
  apolloSocket: () => [
    apolloSocket(),
    (client) => firstOf(client.subscribe({ query: gql(subscription('ApolloSocket')), variables })),
  ],
  urqlPost: () => [
    urql(false, socketClient),
    (client) => client.query(query('UrqlPost'), variables, { requestPolicy: 'network-only' }).toPromise(),
  ],
  urqlGet: () => [
    urql('force', socketClient),
    (client) => client.query(query('UrqlGet'), variables, { requestPolicy: 'network-only' }).toPromise(),
  ],
  urqlMutation: () => [
    urql('force', socketClient),
    (client) => client.mutation(mutation('UrqlMutation'), variables).toPromise(),
  ],
  urqlSocket: () => [
    urql(false, socketClient),
    (client) => firstOf(client.subscription(subscription('UrqlSocket'), variables)),
  ],
  urqlStream: () => [
    urql(false, streamClient),
    (client) => firstOf(client.subscription(subscription('UrqlStream'), variables)),
  ],
  graphqlWs: () => [socketClient, (client) => withHash(client, subscription('GraphqlWs'))],
  graphqlSse: () => [streamClient, (client) => withHash(client, subscription('GraphqlSse'))],
  graphqlWsId: () => [socketClient, (client) => byId(client, subscription('GraphqlWs'))],
  graphqlSseId: () => [streamClient, (client) => byId(client, subscription('GraphqlSse'))],
};

for (const [run, prepare] of Object.entries(runs)) {
  const [client, operation] = prepare();
  for (let time = 1; time <= 2; time += 1) {
    sent = [];
    const received = shown(await operation(client));
    console.log(JSON.stringify({ run, time, received, sent }));
  }
}
process.exit();
