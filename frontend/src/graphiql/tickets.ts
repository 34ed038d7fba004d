/** The tabs for tickets: showing them, passing them on, and checking them in. */

export const MY_TICKETS = `# Your tickets, with the codes to show at the gate, and links
# to download them. To scan one, sign in as olivia and open
# CheckIn.
query MyTickets {
  me {
    tickets(first: 5) {
      nodes {
        id
        state
        holderName
        code
        document { pdfUrl calendarUrl }
        checkIn { scannedAt deviceId }
        transfer { email expiresAt }
        concert { name }
      }
    }
  }
}
`;

export const PASS_ON = `# Sends bob a link with which he can accept the
# ticket. In the variables, {{ticketId}} becomes your
# newest ticket.
mutation PassOn($input: TransferTicketInput!) {
  transferTicket(input: $input) {
    ... on TransferTicketSuccess {
      ticket { id transfer { email expiresAt } }
    }
    ... on TransferRefusedError { reason }
    ... on DomainError { code message }
  }
}
`;

export const CANCEL_TRANSFER = `# Withdraws the offer of your newest ticket.
mutation CancelTransfer($ticketId: ID!) {
  cancelTicketTransfer(input: { ticketId: $ticketId }) {
    ... on CancelTicketTransferSuccess {
      ticket { id holderName transfer { email } }
    }
    ... on TransferRefusedError { reason }
    ... on DomainError { code message }
  }
}
`;

export const ACCEPT = `# Sign in as bob and open the link in the mail. Or copy
# the part of the link after the # into the variables
# and run this. The ticket's old code is then invalid.
mutation AcceptTicket($input: AcceptTicketTransferInput!) {
  acceptTicketTransfer(input: $input) {
    ... on AcceptTicketTransferSuccess {
      ticket { id holderName state generation }
    }
    ... on TransferRefusedError { reason }
    ... on DomainError { code message }
  }
}
`;

export const CHECK_IN = `# Checks a ticket in, as a scanner does. Run MyTickets
# as its holder, then sign in as olivia and run this
# twice. In the variables, {{ticketCode}} becomes the
# last code that was shown.
mutation CheckIn($input: CheckInTicketInput!) {
  checkInTicket(input: $input) {
    ... on CheckInTicketSuccess {
      ticket { holderName }
      checkIn { scannedAt deviceId }
    }
    ... on AlreadyCheckedInError {
      checkIn { scannedAt deviceId }
    }
    ... on ScanRefusedError { reason }
    ... on DomainError { code message }
  }
}
`;
