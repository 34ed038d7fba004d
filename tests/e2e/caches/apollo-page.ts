import { gql } from '@apollo/client';

import { openApollo } from './build/guide/apollo';
import { documents } from './documents.js';
import { openSocket, type Shop } from './shop';
import { buy, type Cast } from './story';

function open(token: string): Shop {
  const client = openApollo(location.origin, async () => token, openSocket(token));
  const parsed = Object.fromEntries(Object.entries(documents).map(([name, text]) => [name, gql(text)]));
  return {
    async query(name, variables) {
      return (await client.query({ query: parsed[name]!, variables, fetchPolicy: 'network-only' })).data;
    },
    async mutate(name, variables) {
      return (await client.mutate({ mutation: parsed[name]!, variables })).data;
    },
    watch(name, variables, show) {
      const watched = client.watchQuery({ query: parsed[name]!, variables });
      watched.subscribe(({ data, dataState }) => {
        if (dataState === 'complete') show(data);
      });
    },
    subscribe(name, variables, push) {
      client.subscribe({ query: parsed[name]!, variables }).subscribe(({ data }) => push(data));
    },
  };
}

Object.assign(window, { buy: (cast: Cast) => buy(open, cast) });
