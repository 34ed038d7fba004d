import { graphql } from "../../api/generated";

/**
 * The same for all people, so it is the answer that the server puts into the document of
 * `/concerts/…`.
 */
export const Concert = graphql(`
  query Concert($slug: String!) {
    concert(by: { slug: $slug }) {
      id
      version
      epoch
      slug
      name
      artist
      genre
      description
      minimumAge
      status
      currency
      startsAt
      doorsAt
      salesStartAt
      salesEndAt
      refundsUntil
      limitPerOrder
      limitPerPerson
      links {
        label
        url
      }
      venue {
        name
        address
        city
        country
        timeZone
      }
      image {
        alt
        sizes {
          url
          width
          height
        }
      }
      tiers {
        ...TierTerms
      }
      stock {
        ...ConcertStock
      }
      waitingRoom {
        version
        epoch
        status
        prequeueStartsAt
        opensAt
        waitingCount
      }
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

export const StockOfConcert = graphql(`
  fragment ConcertStock on Stock {
    version
    epoch
    soldOut
    priceRange {
      lowest {
        amount
        currency
      }
      highest {
        amount
        currency
      }
    }
    tiers {
      tierId
      available
      price {
        amount
        currency
      }
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

/** Until the entry ends, as it also does when the sale is closed or the concert is canceled. */
export const PlaceChanges = graphql(`
  subscription PlaceChanges($id: ID!) {
    queuePosition(concertId: $id) {
      roomStatus
      entry {
        ...PlaceInQueue
      }
    }
  }
`);

/** Through the concert, so that each stock and sale replaces the one that the page shows. */
export const StockChanges = graphql(`
  subscription StockChanges($id: ID!) {
    stockChanged(concertId: $id) {
      concert {
        id
        version
        epoch
        status
        salesStartAt
        salesEndAt
        stock {
          ...ConcertStock
        }
      }
    }
  }
`);
