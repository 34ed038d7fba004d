/** The documents of the page on which tickets are chosen, held and bought. */

import { graphql } from "../../api/generated";

export const HOLD_PAGE = graphql(`
  query HoldPage($slug: String!) {
    concert(by: { slug: $slug }) {
      ...SaleTimes
      slug
      name
      startsAt
      currency
      limitPerOrder
      limitPerPerson
      holdDurationSeconds
      paymentDurationSeconds
      venue { name city timeZone }
      image { alt sizes { url width height } }
      tiers {
        id
        name
        description
        zone
        minPerOrder
        maxPerOrder
        salesStartAt
        salesEndAt
        isWithdrawn
        price { amount minor currency }
        available
        version
        epoch
      }
      stock { version epoch soldOut }
      waitingRoom { ...RoomNeedsPass }
      myHold { ...OwnHold order { id status version epoch } }
      myQueueEntry { id state position endReason version epoch pass { token status expiresAt } }
    }
    me {
      id
      name
      email
      holds { id state lines { tierId quantity } version epoch concert { id } }
    }
  }

  fragment RoomNeedsPass on WaitingRoom {
    status
    suspended
    queueingMethod
    version
    epoch
  }

  fragment OwnHold on Hold {
    id
    state
    reason
    lines {
      tierId
      quantity
      unitPrice { amount minor currency }
      total { amount minor currency }
      tier { id name }
    }
    total { amount minor currency }
    expiresAt
    version
    epoch
  }
`);

/** Also the end of the sale, and whether it needs a pass. */
export const TIER_STOCK = graphql(`
  subscription TierStock($concertId: ID!) {
    stockChanged(concertId: $concertId) {
      concert {
        ...SaleTimes
        waitingRoom { ...RoomNeedsPass }
        stock {
          version
          epoch
          soldOut
          tiers {
            tierId
            tier { id price { amount minor currency } available version epoch }
          }
        }
      }
    }
  }
`);

export const HOLD_CHANGED = graphql(`
  subscription HoldChanged($concertId: ID!) {
    holdChanged(concertId: $concertId) { ...OwnHold }
  }
`);

export const HOLD_TICKETS = graphql(`
  mutation HoldTickets($input: HoldTicketsInput!) {
    holdTickets(input: $input) {
      __typename
      ... on HoldTicketsSuccess {
        hold { ...OwnHold }
        concert {
          id
          stock { version epoch soldOut }
          myHold { ...OwnHold order { id status version epoch } }
        }
      }
      ... on SoldOutError { tierId available nextReleaseAt }
      ... on LimitExceededError { scope limit held owned }
      ... on TierRefusedError { tierId problem ticketsPerOrder tierOpensAt: opensAt }
      ... on NotAdmittedError { admission: reason position }
      ... on NotOnSaleError { status opensAt }
      ... on InvalidInputError { problems { path rule message minimum maximum given step position other } }
      ... on DomainError { code message retryable retryAfterSeconds }
    }
  }
`);

export const RELEASE_HOLD = graphql(`
  mutation ReleaseHold($holdId: ID!) {
    releaseHold(input: { holdId: $holdId }) {
      __typename
      ... on ReleaseHoldSuccess { hold { ...OwnHold } }
      ... on DomainError { code message retryable retryAfterSeconds }
    }
  }
`);

export const PURCHASE_TICKETS = graphql(`
  mutation PurchaseTickets($input: PurchaseTicketsInput!) {
    purchaseTickets(input: $input) {
      __typename
      ... on PurchaseTicketsSuccess {
        order { id status version epoch }
        hold { ...OwnHold }
        entry { id state endReason version epoch }
      }
      ... on HoldEndedError { ended: reason }
      ... on NotAdmittedError { admission: reason position }
      ... on NotOnSaleError { status opensAt }
      ... on InvalidInputError { problems { path rule message minimum maximum given step position other } }
      ... on DomainError { code message retryable retryAfterSeconds }
    }
  }
`);
