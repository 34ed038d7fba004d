import { graphql } from "../../api/generated";

export const OfferedTicket = graphql(`
  query OfferedTicket($token: String!) {
    ticketOffer(token: $token) {
      expiresAt
      problem
      tier { id name zone }
      concert { ...TicketConcert }
    }
  }
`);

export const AcceptTicketTransfer = graphql(`
  mutation AcceptTicketTransfer($input: AcceptTicketTransferInput!) {
    acceptTicketTransfer(input: $input) {
      ... on AcceptTicketTransferSuccess {
        ticket {
          ...TicketFields
          code
          qrSvg
          transfer { email expiresAt }
          concert { ...TicketConcert }
        }
      }
      ... on TransferRefusedError { reason }
      ... on InvalidInputError { problems { path message rule minimum maximum given step position other } }
      ... on DomainError { code message retryable retryAfterSeconds }
    }
  }
`);
