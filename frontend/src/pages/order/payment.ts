/** What a payment can lead to, at any provider. */

import type { PaymentFieldsFragment } from "../../api/generated/graphql";
import type texts from "./messages/en.json";

export type Payment = PaymentFieldsFragment;

export type PaymentOutcome =
  | { kind: "accepted" }
  /** The order cannot be paid anymore. */
  | { kind: "canceled" }
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

type DeclineKey = Extract<keyof typeof texts, `decline.${string}`>;
type Word = DeclineKey extends `decline.${infer Name}` ? Name : never;

const WORDS: Record<string, Word> = {
  card_declined: "default",
  generic_decline: "default",
  do_not_honor: "default",
  fraudulent: "default",
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

/** Returns the key of the text for a decline, or null for a code that this page does not know. */
export function declineKey(code: string): DeclineKey | null {
  const word = Object.hasOwn(WORDS, code) ? WORDS[code] : undefined;
  return word ? `decline.${word}` : null;
}
