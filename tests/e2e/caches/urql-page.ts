import { openUrql } from './build/guide/urql';
import { documents } from './documents.js';
import { openSocket, type Data, type Shop } from './shop';
import { buy, type Cast } from './story';

type Result = { data?: Data; error?: Error | undefined };

function open(token: string): Shop {
  const client = openUrql(location.origin, async () => token, openSocket(token));
  const dataOf = ({ data, error }: Result) => {
    if (error) throw error;
    return data;
  };
  return {
    query: async (name, variables) =>
      dataOf(await client.query(documents[name], variables, { requestPolicy: 'network-only' }).toPromise()),
    mutate: async (name, variables) => dataOf(await client.mutation(documents[name], variables).toPromise()),
    watch(name, variables, show) {
      client.query(documents[name], variables).subscribe((result) => show(dataOf(result)));
    },
    subscribe(name, variables, push) {
      client.subscription(documents[name], variables).subscribe((result) => push(dataOf(result)));
    },
  };
}

Object.assign(window, { buy: (cast: Cast) => buy(open, cast) });
