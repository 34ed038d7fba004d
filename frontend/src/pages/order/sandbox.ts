/**
 * Pays at the sandbox, a provider that moves no money (docs/sandbox.md). It has the API of Stripe,
 * of which a browser may use the part that needs the secret of the intent.
 */

import type { Payment, PaymentOutcome } from "./payment";

/** The test cards by their names at the sandbox. */
export const COMMON_CARDS = [
  ["pm_card_visa", "4242 4242 4242 4242"],
  ["pm_card_chargeDeclined", "4000 0000 0000 0002"],
  ["pm_card_chargeDeclinedInsufficientFunds", "4000 0000 0000 9995"],
  ["pm_card_slow", "4000 0099 0000 0103"],
] as const;
export const OTHER_CARDS = [
  ["pm_card_chargeDeclinedLostCard", "4000 0000 0000 9987"],
  ["pm_card_chargeDeclinedExpiredCard", "4000 0000 0000 0069"],
  ["pm_card_chargeDeclinedIncorrectCvc", "4000 0000 0000 0127"],
  ["pm_card_chargeDeclinedProcessingError", "4000 0000 0000 0119"],
  ["pm_card_createDispute", "4000 0000 0000 0259"],
  ["pm_card_createDisputeProductNotReceived", "4000 0000 0000 2685"],
  ["pm_card_pendingRefund", "4000 0000 0000 7726"],
  ["pm_card_refundFail", "4000 0000 0000 5126"],
  ["pm_card_slowDecline", "4000 0099 0000 0111"],
  ["pm_card_never", "4000 0099 0000 0129"],
  ["pm_card_lateSuccess", "4000 0099 0000 0137"],
  ["pm_card_duplicateWebhook", "4000 0099 0000 0145"],
] as const;

export type TestCard = (typeof COMMON_CARDS | typeof OTHER_CARDS)[number][0];

interface Intent {
  status: string;
}

interface Answer extends Partial<Intent> {
  error?: { type: string; code?: string; decline_code?: string; message: string };
}

/** Pays with a test card. An intent that is paid already is never charged again. */
export async function payInSandbox(payment: Payment, card: TestCard): Promise<PaymentOutcome> {
  const body = new URLSearchParams({ client_secret: payment.clientSecret, payment_method: card });
  const answer = await ask(payment, "/confirm", { method: "POST", body });
  if (!answer) return { kind: "unknown" };
  if (answer.error?.type === "card_error") {
    return { kind: "declined", code: answer.error.decline_code ?? answer.error.code ?? "", message: answer.error.message };
  }
  if (!answer.error) return outcomeOfStatus(answer.status);
  // The intent is no longer payable: it was paid in another tab, or the order has ended.
  return (await readSandboxIntent(payment)) ?? { kind: "unknown" };
}

/** Returns what has become of the intent, or null if it waits for a card or cannot be read. */
export async function readSandboxIntent(payment: Payment): Promise<PaymentOutcome | null> {
  const secret = new URLSearchParams({ client_secret: payment.clientSecret });
  const answer = await ask(payment, `?${secret}`, {});
  if (!answer?.status || answer.status === "requires_payment_method") return null;
  return outcomeOfStatus(answer.status);
}

function outcomeOfStatus(status: string | undefined): PaymentOutcome {
  if (status === "processing" || status === "requires_action") return { kind: "processing" };
  return { kind: status === "canceled" ? "canceled" : "accepted" };
}

/** Returns the answer, or null if there was none. */
async function ask(payment: Payment, path: string, init: RequestInit): Promise<Answer | null> {
  if (!payment.testPaymentUrl) return null;
  const url = `${new URL(payment.testPaymentUrl).origin}/v1/payment_intents/${payment.intentId}${path}`;
  const headers = { Authorization: `Bearer ${payment.publishableKey}` };
  try {
    const response = await fetch(url, { ...init, headers, credentials: "omit", cache: "no-store" });
    return (await response.json()) as Answer;
  } catch {
    return null;
  }
}
