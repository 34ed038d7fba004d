/**
 * The tabs that GraphiQL opens. Each is ready to run: the first ones are the steps of a whole
 * purchase, and the others control the waiting room, show the sales, and move and cancel a concert.
 * Each tab is named after its operation.
 */

import type { DemoConcert } from "./concert";
import {
  BUY_THERE,
  CANCEL_CONCERT,
  CREATE_CONCERT,
  MOVE_CONCERT,
  movedConcert,
  newConcert,
  PUBLISH_CONCERT,
} from "./moving";
import { ADMIT_NEXT, CONFIGURE, PAUSE, RESET, RESUME, ROOM_AUDIT, SALES, WATCH_ROOM, WATCH_SALES } from "./organizing";
import { ACCEPT, CANCEL_TRANSFER, CHECK_IN, MY_TICKETS, PASS_ON } from "./tickets";

const CATALOG = `# Upcoming concerts. You can see them without signing in.
# To run it, click the pink button or press Ctrl-Enter.
query Catalog {
  concerts(first: 5) {
    nodes {
      slug
      name
      startsAtLocal
      isOnSale
      venue { name city timeZone }
      tiers {
        name
        price { amount currency }
        available
      }
    }
  }
}
`;

const JOIN = `# Sign in above first, for example as alice.
# Joining again returns the same entry.
mutation JoinQueue($concertId: ID!) {
  joinQueue(input: { concertId: $concertId }) {
    ... on JoinQueueSuccess {
      entry {
        number
        state
        position
        lot
        estimatedWait { p50Seconds p90Seconds }
        stockAhead
      }
    }
    ... on RoomNotOpenError { status opensAt }
    ... on DomainError { code message }
  }
}
`;

const WATCH_PLACE = `# Your position in the queue, pushed over a WebSocket.
# It ends when you stop it or open another tab; the status
# at the top of the page is still updated.
subscription WatchMyPlace($concertId: ID!) {
  queuePosition(concertId: $concertId) {
    state
    number
    position
    lot
    estimatedWait { p50Seconds p90Seconds }
    servingNumber
    waitingCount
    roomStatus
    message
    stockAhead
    expiresInSeconds
    endReason
    version
  }
}
`;

const CLAIM = `# Run this when your state is READY. You need the pass to
# hold tickets; the tab HoldTickets uses it.
mutation ClaimPass($concertId: ID!) {
  claimQueuePass(input: { concertId: $concertId }) {
    ... on ClaimQueuePassSuccess {
      entry {
        state
        pass { status expiresInSeconds token }
      }
    }
    ... on DomainError { code message }
  }
}
`;

const HOLD = `# Reserves tickets for a limited time. In the
# variables, {{newKey}} becomes a new key for each run,
# and {{queuePass}} becomes the pass you claimed.
mutation HoldTickets($input: HoldTicketsInput!) {
  holdTickets(input: $input) {
    ... on HoldTicketsSuccess {
      hold {
        id
        state
        expiresInSeconds
        lines { quantity tier { name } }
        total { amount currency }
      }
    }
    ... on DomainError { code message }
  }
}
`;

const BUY = `# Buys the tickets you hold. In the variables, {{holdId}}
# becomes the id of your last hold, and {{myName}} and
# {{myEmail}} become your name and email address.
mutation BuyTickets($input: PurchaseTicketsInput!) {
  purchaseTickets(input: $input) {
    ... on PurchaseTicketsSuccess {
      order {
        id
        number
        status
        lines { quantity tier { name } }
        total { amount currency }
        payment { testPaymentUrl secondsUntilDeadline }
      }
    }
    ... on DomainError { code message }
  }
}
`;

const SYNC = `# First open the testPaymentUrl of your order and pay with
# a test card. This asks the provider whether you have paid.
# In the variables, {{orderId}} becomes your last order.
mutation SyncPayment($orderId: ID!) {
  syncOrderPayment(input: { orderId: $orderId }) {
    ... on SyncOrderPaymentSuccess {
      order {
        number
        status
        payment { lastDecline { code } secondsUntilDeadline }
      }
    }
    ... on DomainError { code message }
  }
}
`;

const WATCH_STOCK = `# The stock and the prices of a concert, pushed on each change.
# Buy in another window and watch it change.
subscription WatchStock($concertId: ID!) {
  stockChanged(concertId: $concertId) {
    version
    soldOut
    priceRange { lowest { amount currency } highest { amount currency } }
    tiers { tierId available held sold price { amount currency } }
  }
}
`;

const ME = `# Your queue entries, holds and orders.
query Me {
  me {
    name
    roles
    queueEntries { state position concert { name } }
    holds { id state expiresInSeconds }
    orders(first: 5) {
      nodes {
        id
        status
        total { amount currency }
        concert { name }
      }
    }
  }
}
`;

const SETTINGS = { totalActiveUsers: 100, newUsersPerMinute: 60, message: "Doors open at 19:00. Bring an umbrella." };

export interface ExampleTab {
  query: string;
  variables?: string;
}

export function exampleTabs(concert: DemoConcert | null): ExampleTab[] {
  const concertId = concert?.id ?? "";
  const lines = [{ tierId: concert?.tiers[0]?.id ?? "", quantity: 2 }];
  const idempotencyKey = "{{newKey}}";
  const newTier = { concertId: "{{newConcert}}", lines: [{ tierId: "{{newTier}}", quantity: 2 }] };
  const customer = { customerName: "{{myName}}", customerEmail: "{{myEmail}}" };
  return [
    tab(CATALOG),
    tab(JOIN, { concertId }),
    tab(WATCH_PLACE, { concertId }),
    tab(CLAIM, { concertId }),
    tab(HOLD, { input: { concertId, lines, queuePass: "{{queuePass}}", idempotencyKey } }),
    tab(BUY, { input: { ...customer, what: { holdId: "{{holdId}}" }, idempotencyKey } }),
    tab(SYNC, { orderId: "{{orderId}}" }),
    tab(WATCH_STOCK, { concertId }),
    tab(ME),
    tab(MY_TICKETS),
    tab(PASS_ON, { input: { ticketId: "{{ticketId}}", email: "bob@onsale.example" } }),
    tab(CANCEL_TRANSFER, { ticketId: "{{ticketId}}" }),
    tab(ACCEPT, { input: { token: "" } }),
    tab(CHECK_IN, { input: { concertId, code: "{{ticketCode}}", deviceId: "north gate", scanId: "{{newKey}}" } }),
    tab(WATCH_ROOM, { concertId }),
    tab(PAUSE, { concertId }),
    tab(ADMIT_NEXT, { input: { concertId, count: 1, idempotencyKey } }),
    tab(RESUME, { concertId }),
    tab(CONFIGURE, { input: { concertId, settings: SETTINGS } }),
    tab(ROOM_AUDIT, { concertId }),
    tab(WATCH_SALES, { concertId }),
    tab(SALES, { concertId }),
    tab(RESET, { input: { concertId, idempotencyKey } }),
    tab(CREATE_CONCERT, newConcert()),
    tab(PUBLISH_CONCERT, { concertId: "{{newConcert}}" }),
    tab(BUY_THERE, { input: { ...customer, ...newTier, idempotencyKey } }),
    tab(MOVE_CONCERT, movedConcert()),
    tab(CANCEL_CONCERT, { concertId: "{{newConcert}}" }),
  ];
}

function tab(query: string, variables?: Record<string, unknown>): ExampleTab {
  return variables ? { query, variables: `${JSON.stringify(variables, null, 2)}\n` } : { query };
}
