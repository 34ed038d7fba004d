/**
 * Loads Stripe.js, which Stripe allows to be loaded only from its own address. The checkout alone
 * may load it: its document has a content security policy of its own. Only the parts of its API
 * that the checkout uses are described here.
 */

import type { PaymentOutcome } from "./payment";

const ADDRESS = "https://js.stripe.com/v3/";

export interface Appearance {
  theme: "stripe" | "night" | "flat";
  variables: Record<string, string>;
}

interface StripeError {
  type: string;
  code?: string;
  decline_code?: string;
  message?: string;
}

interface IntentAnswer {
  error?: StripeError;
  paymentIntent?: { status: string };
}

export interface PaymentElement {
  mount(place: HTMLElement): void;
  on(event: "ready" | "loaderror", listener: () => void): void;
  destroy(): void;
}

export interface Elements {
  create(type: "payment"): PaymentElement;
  update(options: { appearance?: Appearance; locale?: string }): void;
}

export interface Stripe {
  elements(options: { clientSecret: string; appearance: Appearance; locale: string }): Elements;
  confirmPayment(options: {
    elements: Elements;
    confirmParams: { return_url: string };
    redirect: "if_required";
  }): Promise<IntentAnswer>;
  retrievePaymentIntent(clientSecret: string): Promise<IntentAnswer>;
}

type StripeMaker = (publishableKey: string, options: { locale: string }) => Stripe;

declare global {
  interface Window {
    Stripe?: StripeMaker;
  }
}

let loading: Promise<StripeMaker> | null = null;

/** Loads the script once. After a failure, only a reload of the page tries again. */
export function loadStripe(): Promise<StripeMaker> {
  loading ??= load();
  return loading;
}

function load(): Promise<StripeMaker> {
  return new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = ADDRESS;
    script.onload = () => (window.Stripe ? resolve(window.Stripe) : reject(new Error(`${ADDRESS} has no Stripe`)));
    script.onerror = () => reject(new Error(`${ADDRESS} could not be loaded`));
    document.head.append(script);
  });
}

/** Pays with what the person has entered. Without a redirect, unless the bank requires one. */
export async function payWithStripe(stripe: Stripe, elements: Elements, clientSecret: string): Promise<PaymentOutcome> {
  const { error, paymentIntent } = await stripe.confirmPayment({
    elements,
    confirmParams: { return_url: location.origin + location.pathname },
    redirect: "if_required",
  });
  if (!error) return outcomeOfStatus(paymentIntent?.status);
  if (error.type === "validation_error") return { kind: "incomplete" };
  if (error.type === "card_error") return declined(error);
  if (error.type !== "invalid_request_error") return { kind: "unknown" };
  // The intent is no longer payable: it was paid in another tab, or the order has ended.
  return (await readStripeIntent(stripe, clientSecret)) ?? declined(error);
}

/** Returns what has become of the intent, or null if it waits for a card or cannot be read. */
export async function readStripeIntent(stripe: Stripe, clientSecret: string): Promise<PaymentOutcome | null> {
  const { paymentIntent } = await stripe.retrievePaymentIntent(clientSecret);
  if (!paymentIntent || WAITS_FOR_A_CARD.has(paymentIntent.status)) return null;
  return outcomeOfStatus(paymentIntent.status);
}

const WAITS_FOR_A_CARD: ReadonlySet<string> = new Set([
  "requires_payment_method",
  "requires_confirmation",
  "requires_action",
]);

function declined({ decline_code, code, message }: StripeError): PaymentOutcome {
  return { kind: "declined", code: decline_code ?? code ?? "", ...(message ? { message } : {}) };
}

function outcomeOfStatus(status: string | undefined): PaymentOutcome {
  if (status === "processing") return { kind: "processing" };
  if (status === "requires_payment_method" || status === "requires_action") return { kind: "declined", code: "" };
  return { kind: status === "canceled" ? "canceled" : "accepted" };
}

/** After a redirect, Stripe adds the secret of the intent to the address, which must not keep it. */
export function removeRedirectParameters(): void {
  const url = new URL(location.href);
  const names = [...url.searchParams.keys()].filter((name) => /^(payment_intent|redirect_status)/.test(name));
  if (names.length === 0) return;
  for (const name of names) url.searchParams.delete(name);
  history.replaceState(history.state, "", url);
}
