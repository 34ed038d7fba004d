/** The tabs that control a waiting room. Each needs a signed-in organizer. */

export const WATCH_ROOM = `# The waiting room, pushed on each change. Sign in above
# as olivia: the remaining tabs are for organizers.
subscription WatchTheRoom($concertId: ID!) {
  waitingRoomChanged(concertId: $concertId) {
    status
    servingNumber
    totalActiveUsers
    newUsersPerMinute
    message
    flow {
      waitingCount
      occupancy
      inflow
      outflow
      called
      claimed
      completed
      left
      noShows
    }
    version
  }
}
`;

export const PAUSE = `# Stops calling people. They keep their places and
# immediately see that the queue is paused.
mutation PauseRoom($concertId: ID!) {
  pauseWaitingRoom(input: { concertId: $concertId }) {
    ... on PauseWaitingRoomSuccess {
      settingsVersion
      waitingRoom { status waitingCount slotsTaken }
    }
    ... on DomainError { code message }
  }
}
`;

export const ADMIT_NEXT = `# Calls the next people manually, even during a pause. Both
# caps apply: the result says how many people were called
# and which cap was reached.
mutation AdmitNext($input: AdmitNextInput!) {
  admitNext(input: $input) {
    ... on AdmitNextSuccess {
      call { asked called limit }
      waitingRoom { status waitingCount slotsTaken }
    }
    ... on RoomNotOpenError { status opensAt }
    ... on DomainError { code message }
  }
}
`;

export const RESUME = `# Resumes calling people.
mutation ResumeRoom($concertId: ID!) {
  resumeWaitingRoom(input: { concertId: $concertId }) {
    ... on ResumeWaitingRoomSuccess {
      settingsVersion
      waitingRoom { status waitingCount slotsTaken }
    }
    ... on DomainError { code message }
  }
}
`;

export const CONFIGURE = `# Changes settings while the queue is running. Settings that
# you omit stay unchanged. Entries and passes are kept.
mutation ConfigureRoom($input: ConfigureWaitingRoomInput!) {
  configureWaitingRoom(input: $input) {
    ... on ConfigureWaitingRoomSuccess {
      settingsVersion
      waitingRoom {
        status
        totalActiveUsers
        newUsersPerMinute
        message
      }
    }
    ... on InvalidInputError { problems { path message } }
    ... on DomainError { code message }
  }
}
`;

export const ROOM_AUDIT = `# The log of changes to the waiting room, newest first.
query RoomAudit($concertId: ID!) {
  waitingRoom(concertId: $concertId) {
    audit(first: 10) {
      nodes {
        at
        personName
        action
        changes { setting before after }
        call { asked called limit }
        round
      }
    }
  }
}
`;

export const WATCH_SALES = `# Your sales, pushed after each sale and refund.
subscription WatchSales($concertId: ID!) {
  salesChanged(concertId: $concertId) {
    orders
    ticketsSold
    gross { amount currency }
    ticketsRefunded
    net { amount currency }
    version
  }
}
`;

export const SALES = `# Your sales over time, and where people dropped out of
# the queue.
query Sales($concertId: ID!) {
  concertSales(concertId: $concertId) {
    orders
    tiers { tierId ticketsSold gross { amount currency } ticketsRefunded }
    overTime(interval: HOUR) { start orders ticketsSold gross { amount } }
    queue {
      joined called claimed completed
      leftWaiting absent leftCalled notClaimed leftAdmitted sessionOver
      rate asOf
    }
  }
}
`;

export const RESET = `# Empties the queue. Waiting people lose their places and
# have to join again. Called people keep their turn.
mutation ResetRoom($input: ResetWaitingRoomInput!) {
  resetWaitingRoom(input: $input) {
    ... on ResetWaitingRoomSuccess {
      settingsVersion
      waitingRoom { status round waitingCount slotsTaken }
    }
    ... on DomainError { code message }
  }
}
`;
