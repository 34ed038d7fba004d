/** The documents of the waiting room. */

import { graphql } from "../../api/generated";

export const QUEUE_ENTRY_PAGE = graphql(`
  query QueueEntryPage($slug: String!) {
    concert(by: { slug: $slug }) {
      ...SaleTimes
      slug
      name
      startsAt
      paymentDurationSeconds
      venue { name city timeZone }
      image { alt sizes { url width height } }
      tiers { id name isWithdrawn }
      stock { ...WaitingStock }
      waitingRoom {
        ...RoomNow
        shuffleAtStart
        passClaimTimeoutSeconds
        sessionDurationSeconds
        heartbeatTimeoutSeconds
        lottery { commitment isRevealed registrations }
      }
      myQueueEntry { ...OwnQueueEntry }
    }
  }

  fragment RoomNow on WaitingRoom {
    ...RoomSchedule
    suspended
    queueingMethod
    message
    waitingCount
    round
  }

  fragment OwnQueueEntry on QueueEntry {
    id
    state
    number
    position
    lot
    round
    endReason
    expiresAt
    estimatedWait { p50Seconds p90Seconds }
    pass { status expiresAt }
    version
    epoch
  }

  fragment WaitingStock on Stock {
    version
    epoch
    soldOut
    priceRange {
      lowest { amount minor currency }
      highest { amount minor currency }
    }
    tiers { tierId available held price { amount minor currency } }
  }
`);

export const QUEUE_POSITION = graphql(`
  subscription QueuePosition($concertId: ID!) {
    queuePosition(concertId: $concertId) {
      entry { ...OwnQueueEntry }
      state
      number
      position
      estimatedWait { p50Seconds p90Seconds }
      servingNumber
      waitingCount
      expiresAt
      endReason
      lot
      opensAt
      roomStatus
      message
      stockAhead
      version
      epoch
      stock { concert { id stock { ...WaitingStock } } }
    }
  }
`);

/** For people who have no place, also for those who are not signed in. */
export const WATCHED_SALE = graphql(`
  subscription WatchedSale($concertId: ID!) {
    stockChanged(concertId: $concertId) {
      concert {
        ...SaleTimes
        stock { ...WaitingStock }
        waitingRoom { ...RoomNow }
      }
    }
  }
`);

export const JOIN_QUEUE = graphql(`
  mutation JoinQueue($concertId: ID!, $proof: ProofOfWorkInput) {
    joinQueue(input: { concertId: $concertId, proof: $proof }) {
      __typename
      ... on JoinQueueSuccess {
        entry { ...OwnQueueEntry concert { id myQueueEntry { ...OwnQueueEntry } } }
      }
      ... on RoomNotOpenError { status opensAt }
      ... on ChallengeRequiredError { reason challenge bits expiresInSeconds }
      ... on DomainError { code message retryable retryAfterSeconds }
    }
  }
`);

export const HEARTBEAT = graphql(`
  mutation Heartbeat($concertId: ID!) {
    heartbeat(input: { concertId: $concertId }) {
      __typename
      ... on HeartbeatSuccess { entry { ...OwnQueueEntry } }
      ... on DomainError { code message retryable retryAfterSeconds }
    }
  }
`);

export const CLAIM_QUEUE_PASS = graphql(`
  mutation ClaimQueuePass($concertId: ID!) {
    claimQueuePass(input: { concertId: $concertId }) {
      __typename
      ... on ClaimQueuePassSuccess { entry { ...OwnQueueEntry } }
      ... on NotAdmittedError { position reason }
      ... on DomainError { code message retryable retryAfterSeconds }
    }
  }
`);

export const LEAVE_QUEUE = graphql(`
  mutation LeaveQueue($concertId: ID!) {
    leaveQueue(input: { concertId: $concertId }) {
      __typename
      ... on LeaveQueueSuccess { entry { ...OwnQueueEntry } }
      ... on DomainError { code message retryable retryAfterSeconds }
    }
  }
`);

/** Shown on request: the draw of a lottery, with all that is needed to repeat it. */
export const LOTTERY_PROOF = graphql(`
  query LotteryProof($concertId: ID!) {
    queueEntry(concertId: $concertId) {
      id
      lotteryProof { lot number registrations digest secret seed commitment }
    }
  }
`);
