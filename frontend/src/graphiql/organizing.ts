/** The tabs that control a waiting room. Each needs a signed-in organizer. */

export const WATCH_ROOM = `# The waiting room as it changes. Sign in above as olivia:
# this tab and the next ones are for organizers.
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

export const PAUSE = `# Stops calling people. They keep their places and see at
# once that the queue is paused.
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

export const ADMIT_NEXT = `# Calls the next people manually, even while paused. Both
# limits apply: the result says how many were called, and
# why not more.
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

export const CONFIGURE = `# Changes settings while the queue runs. Absent settings
# stay unchanged. Entries and passes are kept.
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

export const ROOM_AUDIT = `# Changes of the waiting room, newest first.
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

export const RESET = `# Empties the queue: people who wait lose their place and
# join again. People who were called keep their turn.
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
