/** What an organizer does to the waiting room while it runs; each step needs somebody who organizes. */

export const WATCH_ROOM = `# The room as it changes. Sign in above as olivia, who
# organizes: this tab and those behind it are hers.
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

export const PAUSE = `# Calls nobody any more. Everybody keeps their place and
# reads at once that the line is paused.
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

export const ADMIT_NEXT = `# Calls the next people by hand, also in a paused room.
# Both caps hold: the answer says how many were called,
# and why not more.
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

export const RESUME = `# Goes on calling.
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

export const CONFIGURE = `# Changes settings while the room runs; those that the
# variables leave out stay. Nobody loses a place or a pass.
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

export const ROOM_AUDIT = `# Who did what to the room, newest first.
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

export const RESET = `# Empties the line: whoever waits loses their place, and
# joins anew. Whoever was called keeps their turn.
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
