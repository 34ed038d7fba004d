/**
 * The tabs for a concert that is moved and then canceled, and for the mails about it. They work on
 * a concert of their own, because a canceled concert cannot be sold anymore.
 */

export const CREATE_CONCERT = `# Sign in as olivia. This creates the concert that the
# next tabs sell, move and cancel: a draft at first.
mutation CreateConcert($input: CreateConcertInput!) {
  createConcert(input: $input) {
    ... on CreateConcertSuccess {
      concert {
        id
        status
        startsAtLocal
        tiers { id name }
      }
    }
    ... on InvalidInputError { problems { message } }
    ... on DomainError { code message }
  }
}
`;

export const PUBLISH_CONCERT = `# Puts the concert on sale. In the variables,
# {{newConcert}} becomes the concert you created last.
mutation PublishConcert($concertId: ID!) {
  publishConcert(input: { concertId: $concertId }) {
    ... on PublishConcertSuccess {
      concert { id status isOnSale }
    }
    ... on DomainError { code message }
  }
}
`;

export const BUY_THERE = `# Sign in as alice and run this. Then open the
# testPaymentUrl, pay with a test card, and run
# SyncPayment.
mutation BuyThere($input: PurchaseTicketsInput!) {
  purchaseTickets(input: $input) {
    ... on PurchaseTicketsSuccess {
      order {
        id
        number
        status
        total { amount currency }
        payment { testPaymentUrl secondsUntilDeadline }
      }
    }
    ... on DomainError { code message }
  }
}
`;

export const MOVE_CONCERT = `# As olivia again: another date and another venue. The
# codes stay valid, and the people who have tickets get
# a mail. The page /dev/mailbox shows all mails.
mutation MoveConcert($input: UpdateConcertInput!) {
  updateConcert(input: $input) {
    ... on UpdateConcertSuccess {
      concert {
        id
        startsAtLocal
        venue { name city timeZone }
        version
      }
    }
    ... on InvalidInputError { problems { message } }
    ... on DomainError { code message }
  }
}
`;

export const CANCEL_CONCERT = `# Cancels the concert for good. Its orders are refunded,
# and people get mails. Run it again to see how far it
# has come.
mutation CancelConcert($concertId: ID!) {
  cancelConcert(input: { concertId: $concertId }) {
    ... on CancelConcertSuccess {
      concert {
        id
        status
        cancellation {
          finishedAt
          openOrders
          refundedOrders
        }
      }
    }
    ... on DomainError { code message }
  }
}
`;

const DAY_MS = 86_400_000;

/** Returns the variables of CreateConcert: a concert in a month that is on sale from now on. */
export function newConcert(): Record<string, unknown> {
  const startsAt = eveningAfter(30);
  return {
    input: {
      name: "Pier Session",
      venue: { name: "Palace Pier", city: "Brighton", country: "GB", timeZone: "Europe/London" },
      startsAt,
      salesStartAt: new Date().toISOString(),
      salesEndAt: startsAt,
      currency: "GBP",
      tiers: [{ name: "Standing", priceMinor: 2_500, capacity: 50 }],
    },
  };
}

/** Returns the variables of MoveConcert: two weeks later, in another hall. */
export function movedConcert(): Record<string, unknown> {
  return { input: { concertId: "{{newConcert}}", startsAt: eveningAfter(44), venue: { name: "Brighton Dome" } } };
}

/** Returns 19:30 UTC of the day after this number of days. */
function eveningAfter(days: number): string {
  return `${new Date(Date.now() + days * DAY_MS).toISOString().slice(0, 10)}T19:30:00Z`;
}
