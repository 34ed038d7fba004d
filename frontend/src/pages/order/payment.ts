/** What a payment can lead to, at any provider. */

import type { PaymentFieldsFragment } from "../../api/generated/graphql";

export type Payment = PaymentFieldsFragment;

export type PaymentOutcome =
  /** The provider has accepted the payment, or has ended it otherwise; the server knows more. */
  | { kind: "settled" }
  /** The bank is deciding. */
  | { kind: "processing" }
  /** `message` is the provider's, in the language of the page if it has one. */
  | { kind: "declined"; code: string; message?: string }
  /** The form is not complete, and says so itself. */
  | { kind: "incomplete" }
  /** No answer arrived, so the payment may have been made. */
  | { kind: "unknown" };

/** A form that is ready to pay. */
export interface Payer {
  pay(): Promise<PaymentOutcome>;
}

export interface FieldsProps {
  payment: Payment;
  /** Called with the payer when the form is ready, and with null when it no longer is. */
  onPayer(payer: Payer | null): void;
  /** Called if the payment turns out to be under way already, for example in another tab. */
  onOutcome(outcome: PaymentOutcome): void;
}

const WORDS: Record<string, string> = {
  insufficient_funds: "insufficient_funds",
  expired_card: "expired_card",
  invalid_expiry_month: "expired_card",
  invalid_expiry_year: "expired_card",
  incorrect_cvc: "incorrect_cvc",
  invalid_cvc: "incorrect_cvc",
  incorrect_number: "incorrect_number",
  invalid_number: "incorrect_number",
  lost_card: "lost_card",
  stolen_card: "lost_card",
  pickup_card: "lost_card",
  processing_error: "processing_error",
  issuer_not_available: "processing_error",
  try_again_later: "processing_error",
  authentication_required: "authentication_required",
  payment_intent_authentication_failure: "authentication_required",
  card_not_supported: "card_not_supported",
  currency_not_supported: "card_not_supported",
  transaction_not_allowed: "card_not_supported",
  card_velocity_exceeded: "limit",
  withdrawal_count_limit_exceeded: "limit",
};

/** Returns the name of the text for a decline, or null if only the provider's words are left. */
export function declineText(code: string): string | null {
  return Object.hasOwn(WORDS, code) ? (WORDS[code] ?? null) : null;
}
