import { graphql } from "../../api/generated";

/**
 * The same for all people, so it is the answer that the server puts into the document of
 * `/concerts/…`.
 */
export const Concert = graphql(`
  query Concert($slug: String!) {
    concert(by: { slug: $slug }) {
      ...ConcertCard
      ...ConcertSale
      description
      minimumAge
      currency
      doorsAt
      refundsUntil
      limitPerOrder
      limitPerPerson
      links {
        label
        url
      }
      venue {
        address
      }
      tiers {
        ...TierTerms
      }
    }
  }
`);

/** What changes while the page is open. */
export const SaleOfConcert = graphql(`
  fragment ConcertSale on Concert {
    ...SaleTimes
    stock {
      ...StockSummary
      tiers {
        price {
          amount
          currency
        }
      }
    }
    waitingRoom {
      ...RoomSchedule
      waitingCount
    }
  }
`);

export const TierTerms = graphql(`
  fragment TierTerms on Tier {
    id
    name
    description
    zone
    salesStartAt
    salesEndAt
    minPerOrder
    maxPerOrder
    isWithdrawn
    price {
      amount
      currency
    }
  }
`);

/** What the signed-in person has at the concert. */
export const MyConcert = graphql(`
  query MyConcert($slug: String!) {
    concert(by: { slug: $slug }) {
      id
      version
      epoch
      stock {
        version
        epoch
      }
      myHold {
        id
        version
        epoch
        state
        expiresAt
        lines {
          tierId
          quantity
        }
        order {
          id
          version
          epoch
          status
        }
      }
      myQueueEntry {
        ...PlaceInQueue
      }
    }
  }

  fragment PlaceInQueue on QueueEntry {
    id
    version
    epoch
    state
    position
    expiresAt
  }
`);

/** Until the entry ends. */
export const PlaceChanges = graphql(`
  subscription PlaceChanges($id: ID!) {
    queuePosition(concertId: $id) {
      entry {
        ...PlaceInQueue
      }
    }
  }
`);

/** Through the concert, so that each push replaces what the page shows, for all people. */
export const SaleChanges = graphql(`
  subscription SaleChanges($id: ID!) {
    stockChanged(concertId: $id) {
      concert {
        ...ConcertSale
      }
    }
  }
`);
