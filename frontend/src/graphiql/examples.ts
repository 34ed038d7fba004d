/** GraphiQL's first tabs: a whole purchase in order, each ready to run. A tab is named like its operation. */

import type { DemoConcert } from "./concert";

const CATALOGUE = `# What is on. Nobody has to sign in to look. Run it with the pink button, or Ctrl-Enter.
query Catalogue {
  concerts(first: 5) {
    nodes {
      slug
      name
      startsAt
      isOnSale
      venue { name city }
      tiers { name price { amount currency } available }
    }
  }
}
`;

const JOIN = `# Sign in above first, as alice for instance. Joining twice is the same as once.
mutation JoinQueue($concertId: ID!) {
  joinQueue(input: { concertId: $concertId }) {
    ... on JoinQueueSuccess {
      entry { number state position joinedAt }
    }
    ... on DomainError { code message }
  }
}
`;

const WATCH_PLACE = `# Your place in line, as it happens, over a WebSocket. It runs until you stop it or change the tab;
# the line above this editor keeps watching.
subscription WatchMyPlace($concertId: ID!) {
  queuePosition(concertId: $concertId) {
    state
    number
    position
    servingNumber
    waitingCount
    stock { tiers { tierId available } }
    version
  }
}
`;

const CLAIM = `# When your state is READY. The pass lets you hold tickets; the tab HoldTickets finds it by itself.
mutation ClaimPass($concertId: ID!) {
  claimQueuePass(input: { concertId: $concertId }) {
    ... on ClaimQueuePassSuccess {
      entry { state expiresAt pass { token status expiresAt } }
    }
    ... on DomainError { code message }
  }
}
`;

const HOLD = `# Takes tickets out of the stock for a while. {{newKey}} in the variables is a new key for each run,
# {{queuePass}} is the pass you claimed.
mutation HoldTickets($concertId: ID!, $lines: [LineInput!]!, $queuePass: String, $key: String!) {
  holdTickets(input: { concertId: $concertId, lines: $lines, queuePass: $queuePass, idempotencyKey: $key }) {
    ... on HoldTicketsSuccess {
      hold { id state expiresInSeconds total { amount currency } lines { quantity tier { name } } }
    }
    ... on DomainError { code message }
  }
}
`;

const BUY = `# Buys what you hold: {{holdId}} in the variables is your last hold.
mutation BuyTickets($holdId: ID!, $key: String!) {
  purchaseTickets(
    input: { holdId: $holdId, customerName: "Alice", customerEmail: "alice@onsale.example", idempotencyKey: $key }
  ) {
    ... on PurchaseTicketsSuccess {
      order { id status total { amount currency } lines { quantity tier { name } } }
    }
    ... on DomainError { code message }
  }
}
`;

const WATCH_STOCK = `# The stock of a concert, whole, with each change. Watch it here and buy in another window.
subscription WatchStock($concertId: ID!) {
  stockChanged(concertId: $concertId) {
    version
    soldOut
    tiers { tierId available held sold }
  }
}
`;

const ME = `# You: your places in line, your holds and your orders.
query Me {
  me {
    name
    roles
    queueEntries { state position concert { name } }
    holds { id state expiresInSeconds }
    orders(first: 5) { nodes { id status createdAt total { amount currency } concert { name } } }
  }
}
`;

export interface ExampleTab {
  query: string;
  variables?: string;
}

export function exampleTabs(concert: DemoConcert | null): ExampleTab[] {
  const concertId = concert?.id ?? "";
  const lines = [{ tierId: concert?.tiers[0]?.id ?? "", quantity: 2 }];
  return [
    tab(CATALOGUE),
    tab(JOIN, { concertId }),
    tab(WATCH_PLACE, { concertId }),
    tab(CLAIM, { concertId }),
    tab(HOLD, { concertId, lines, queuePass: "{{queuePass}}", key: "{{newKey}}" }),
    tab(BUY, { holdId: "{{holdId}}", key: "{{newKey}}" }),
    tab(WATCH_STOCK, { concertId }),
    tab(ME),
  ];
}

function tab(query: string, variables?: Record<string, unknown>): ExampleTab {
  return variables ? { query, variables: `${JSON.stringify(variables, null, 2)}\n` } : { query };
}
