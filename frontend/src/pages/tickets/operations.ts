import { graphql } from "../../api/generated";

/** What a push can show of a ticket. */
export const TicketFields = graphql(`
  fragment TicketFields on Ticket {
    id
    version
    epoch
    state
    generation
    holderName
    orderNumber
    checkIn { scannedAt }
    tier { id name zone }
  }
`);

/** The concert of an order or a ticket. */
export const TicketConcert = graphql(`
  fragment TicketConcert on Concert {
    id
    slug
    name
    status
    startsAt
    doorsAt
    refundsUntil
    venue { name city country timeZone address }
    image { alt sizes { url width height } }
  }
`);

/** A page of the tickets that the viewer holds. */
export const MyTickets = graphql(`
  query MyTickets($after: String) {
    me {
      id
      tickets(first: 50, after: $after) {
        nodes {
          ...TicketFields
          code
          qrSvg
          transfer { email expiresAt }
          concert { ...TicketConcert }
        }
        pageInfo { hasNextPage endCursor }
      }
    }
  }
`);

/** A page of the viewer's orders, newest first. */
export const MyOrders = graphql(`
  query MyOrders($after: String) {
    me {
      id
      orders(first: 10, after: $after) {
        nodes {
          id
          version
          epoch
          number
          status
          createdAt
          cancelRequestedAt
          total { amount minor currency }
          lines { quantity }
          concert { id name venue { name city timeZone } }
        }
        pageInfo { hasNextPage endCursor }
      }
    }
  }
`);

/** New download links: they last five minutes, so they are made when a person wants a file. */
export const DownloadLinks = graphql(`
  query DownloadLinks($id: ID!) {
    node(id: $id) {
      id
      ... on Order { document { pdfUrl calendarUrl } }
      ... on Ticket { document { pdfUrl calendarUrl } }
    }
  }
`);

export const TransferTicket = graphql(`
  mutation TransferTicket($input: TransferTicketInput!) {
    transferTicket(input: $input) {
      ... on TransferTicketSuccess {
        ticket { id version epoch transfer { email expiresAt } }
      }
      ... on TransferRefusedError { reason }
      ... on InvalidInputError { problems { path message rule minimum maximum given step position other } }
      ... on DomainError { code message retryable retryAfterSeconds }
    }
  }
`);

export const CancelTicketTransfer = graphql(`
  mutation CancelTicketTransfer($input: CancelTicketTransferInput!) {
    cancelTicketTransfer(input: $input) {
      ... on CancelTicketTransferSuccess {
        ticket { id version epoch transfer { email expiresAt } }
      }
      ... on TransferRefusedError { reason }
      ... on DomainError { code message retryable retryAfterSeconds }
    }
  }
`);
