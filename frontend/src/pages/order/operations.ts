import { graphql } from "../../api/generated";

/** What both a query and a push can show of an order. */
export const OrderFields = graphql(`
  fragment OrderFields on Order {
    id
    version
    epoch
    number
    status
    createdAt
    cancelRequestedAt
    customerName
    customerEmail
    total { amount minor currency }
    refunded { amount minor currency }
    lines {
      tierId
      quantity
      unitPrice { amount minor currency }
      total { amount minor currency }
      tier { id name zone }
    }
    refunds {
      state
      reason
      requestedAt
      amount { amount minor currency }
      lines { tierId quantity tier { id name } }
    }
    tickets { ...TicketFields }
    concert { ...TicketConcert }
  }
`);

/** What the buyer needs to pay. Other people may not read it. */
export const PaymentFields = graphql(`
  fragment PaymentFields on PaymentAttempt {
    provider
    publishableKey
    intentId
    clientSecret
    deadline
    lastDecline { code at }
    testPaymentUrl
  }
`);

export const OrderPage = graphql(`
  query OrderPage($id: ID!) {
    order(id: $id) {
      ...OrderFields
      tickets { id code qrSvg transfer { email expiresAt } }
      hold { id version epoch state expiresAt }
    }
  }
`);

export const OrderPush = graphql(`
  subscription OrderPush($id: ID!) {
    orderUpdated(orderId: $id) { ...OrderFields }
  }
`);

export const CheckoutPage = graphql(`
  query CheckoutPage($id: ID!) {
    order(id: $id) {
      ...OrderFields
      payment { ...PaymentFields }
      hold { id version epoch state expiresAt }
    }
  }
`);

export const CheckoutPush = graphql(`
  subscription CheckoutPush($id: ID!) {
    orderUpdated(orderId: $id) {
      ...OrderFields
      payment { ...PaymentFields }
    }
  }
`);

export const SyncOrderPayment = graphql(`
  mutation SyncOrderPayment($input: SyncOrderPaymentInput!) {
    syncOrderPayment(input: $input) {
      ... on SyncOrderPaymentSuccess {
        order { ...OrderFields payment { ...PaymentFields } }
      }
      ... on DomainError { code message retryable retryAfterSeconds }
    }
  }
`);

export const CancelOrder = graphql(`
  mutation CancelOrder($input: CancelOrderInput!) {
    cancelOrder(input: $input) {
      ... on CancelOrderSuccess {
        order { ...OrderFields payment { ...PaymentFields } }
      }
      ... on DomainError { code message retryable retryAfterSeconds }
    }
  }
`);

export const RefundOrder = graphql(`
  mutation RefundOrder($input: RefundOrderInput!) {
    refundOrder(input: $input) {
      ... on RefundOrderSuccess { order { ...OrderFields } }
      ... on NotRefundableError { reason refundsUntil refundable }
      ... on DomainError { code message retryable retryAfterSeconds }
    }
  }
`);
