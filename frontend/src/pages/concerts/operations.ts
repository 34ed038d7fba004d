import { graphql } from "../../api/generated";

/** Without variables, it is the answer that the server puts into the document of `/`. */
export const Concerts = graphql(`
  query Concerts($first: Int = 24, $after: String, $filter: ConcertFilter, $sort: ConcertSort) {
    concerts(first: $first, after: $after, filter: $filter, sort: $sort) {
      totalCount
      isTotalCountExact
      nodes {
        ...ConcertCard
      }
      pageInfo {
        hasNextPage
        endCursor
      }
    }
  }
`);

/** What a list shows of a concert. The page of the concert shows it, too. */
export const ConcertCard = graphql(`
  fragment ConcertCard on Concert {
    ...SaleTimes
    slug
    name
    artist
    genre
    startsAt
    venue {
      name
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
    stock {
      ...StockSummary
    }
    waitingRoom {
      ...RoomSchedule
    }
  }

  fragment SaleTimes on Concert {
    id
    version
    epoch
    status
    salesStartAt
    salesEndAt
  }

  fragment StockSummary on Stock {
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
    }
  }

  fragment RoomSchedule on WaitingRoom {
    version
    epoch
    status
    prequeueStartsAt
    opensAt
  }
`);

/** The places to choose from. Other places are found with the search. */
export const ConcertPlaces = graphql(`
  query ConcertPlaces {
    concerts(first: 100) {
      nodes {
        id
        venue {
          city
          country
        }
      }
    }
  }
`);
