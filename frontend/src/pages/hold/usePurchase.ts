/** Turning a hold into an order, and going on to its payment. */

import type { ResultOf } from "@graphql-typed-document-node/core";
import { useEffect, useRef, useState } from "react";
import { useClient, type Client } from "urql";
import { useLocation } from "wouter";

import { outcomeOf, type Outcome } from "../../api/outcome";
import { useLanguage } from "../../messages/i18n";
import { purchaseAttempts } from "./attempts";
import type { Customer } from "./customer";
import { PURCHASE_TICKETS } from "./operations";

export type Purchased = ResultOf<typeof PURCHASE_TICKETS>["purchaseTickets"];

export interface Purchase {
  /** True also while the next page is loading. */
  isPending: boolean;
  buy(holdId: string, customer: Customer): Promise<Outcome<Purchased> | null>;
}

export function usePurchase(): Purchase {
  const client = useClient();
  const locale = useLanguage();
  const [, navigate] = useLocation();
  const [isPending, setPending] = useState(false);
  const isRunning = useRef(false);
  useEffect(() => {
    // The back button may show this page as it was when it was left.
    const restart = (event: PageTransitionEvent): void => {
      if (!event.persisted) return;
      isRunning.current = false;
      setPending(false);
    };
    addEventListener("pageshow", restart);
    return () => {
      removeEventListener("pageshow", restart);
    };
  }, []);

  async function buy(holdId: string, customer: Customer): Promise<Outcome<Purchased> | null> {
    if (isRunning.current) return null;
    isRunning.current = true;
    setPending(true);
    const outcome = await purchase(client, holdId, customer, locale);
    if (outcome.success) {
      const { id, status } = outcome.success.order;
      // The checkout admits the payment provider, so it is a document with a policy of its own.
      if (status === "PENDING_PAYMENT") location.assign(`/orders/${id}/pay`);
      else navigate(`/orders/${id}`);
      return outcome;
    }
    isRunning.current = false;
    setPending(false);
    return outcome;
  }

  return { isPending, buy };
}

async function purchase(client: Client, holdId: string, customer: Customer, locale: string): Promise<Outcome<Purchased>> {
  const first = await ask(client, holdId, customer, locale);
  if (first.problem?.code !== "IDEMPOTENCY_CONFLICT") return first;
  purchaseAttempts.forget(holdId);
  return ask(client, holdId, customer, locale);
}

async function ask(client: Client, holdId: string, customer: Customer, locale: string): Promise<Outcome<Purchased>> {
  const content = { customerName: customer.name, customerEmail: customer.email, locale };
  const idempotencyKey = purchaseAttempts.keyOf(holdId, JSON.stringify(content));
  const input = { what: { holdId }, ...content, idempotencyKey };
  const result = await client.mutation(PURCHASE_TICKETS, { input }).toPromise();
  return outcomeOf(result, result.data?.purchaseTickets);
}
