import { graphql } from "../../api/generated";

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
