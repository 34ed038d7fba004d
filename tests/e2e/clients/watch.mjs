// Watches a subscription with graphql-ws and with graphql-sse, and prints what each of them meets, a line of JSON each.
// Ends when standard input does: then both unsubscribe.
import { createClient as createSocketClient } from 'graphql-ws';
import { createClient as createStreamClient } from 'graphql-sse';
import WebSocket from 'ws';

const [url, query, concertId, token] = process.argv.slice(2);
const authorization = { Authorization: `Bearer ${token}` };
const pause = () => new Promise((resolve) => setTimeout(resolve, 100));
const print = (client, what, value) => console.log(JSON.stringify({ client, what, value }));

const socketClient = createSocketClient({
  url: url.replace('http', 'ws'),
  webSocketImpl: WebSocket,
  connectionParams: authorization,
  lazy: true,
  retryAttempts: 200,
  retryWait: pause,
  shouldRetry: () => true, // also where the address refuses connections, as while one server restarts
  on: { closed: ({ code, reason }) => print('ws', 'closed', { code, reason: String(reason) }) },
});
const streamClient = createStreamClient({ url, headers: authorization, retryAttempts: 200, retry: pause });

let watching = 0;
const watch = (client, name) => {
  watching += 1;
  return client.subscribe(
    { query, variables: { id: concertId } },
    {
      next: (result) => print(name, 'next', result),
      error: (error) => print(name, 'error', String(error?.message ?? JSON.stringify(error))),
      complete: () => {
        print(name, 'complete', null);
        watching -= 1;
        if (watching === 0) process.exit();
      },
    },
  );
};

for (const [client, name] of [[socketClient, 'ws'], [streamClient, 'sse']]) {
  client.subscribe(
    { query: '{ me { name } }' },
    { next: (result) => print(name, 'me', result), error: (error) => print(name, 'error', String(error)), complete() {} },
  );
}
const unsubscribes = [watch(socketClient, 'ws'), watch(streamClient, 'sse')];
process.stdin.resume();
process.stdin.on('end', () => {
  for (const unsubscribe of unsubscribes) unsubscribe();
});
