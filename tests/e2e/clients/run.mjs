// Subscribes with graphql-ws and with graphql-sse, and prints what each receives as lines of JSON.
// When standard input ends, both unsubscribe and the process exits.
import { createClient as createSocketClient } from 'graphql-ws';
import { createClient as createStreamClient } from 'graphql-sse';
import WebSocket from 'ws';

const [url, query, concertId, token] = process.argv.slice(2);
const authorization = { Authorization: `Bearer ${token}` };
const RETRIES = Number.MAX_SAFE_INTEGER; // retry until the test stops the process
const pauseBeforeRetry = () => new Promise((resolve) => setTimeout(resolve, 100));
const print = (client, event, value) => console.log(JSON.stringify({ client, event, value }));

const socketClient = createSocketClient({
  url: url.replace('http', 'ws'),
  webSocketImpl: WebSocket,
  connectionParams: authorization,
  lazy: true,
  retryAttempts: RETRIES,
  retryWait: pauseBeforeRetry,
  shouldRetry: () => true, // also retry while the server restarts and its port refuses connections
  on: { closed: ({ code, reason }) => print('ws', 'closed', { code, reason: String(reason) }) },
});
const streamClient = createStreamClient({ url, headers: authorization, retryAttempts: RETRIES, retry: pauseBeforeRetry });

let running = 0;
const subscribe = (client, name) => {
  running += 1;
  return client.subscribe(
    { query, variables: { id: concertId } },
    {
      next: (result) => print(name, 'next', result),
      error: (error) => print(name, 'error', String(error?.message ?? JSON.stringify(error))),
      complete: () => {
        print(name, 'complete', null);
        running -= 1;
        if (running === 0) process.exit();
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
const unsubscribes = [subscribe(socketClient, 'ws'), subscribe(streamClient, 'sse')];
process.stdin.resume();
process.stdin.on('end', () => {
  for (const unsubscribe of unsubscribes) unsubscribe();
});
