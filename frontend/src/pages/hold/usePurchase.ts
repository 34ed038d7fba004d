/** Turning a hold into an order, and going on to its payment. */

import type { ResultOf } from "@graphql-typed-document-node/core";
import { useEffect, useRef, useState } from "react";
import { useClient, type Client } from "urql";
import { useLocation } from "wouter";

import { outcomeOf, type Outcome, type Problem } from "../../api/outcome";
import { useLanguage } from "../../messages/i18n";
import { purchaseAttempts } from "./attempts";
import type { Customer } from "./customer";
import { PURCHASE_TICKETS } from "./operations";

export type Purchased = ResultOf<typeof PURCHASE_TICKETS>["purchaseTickets"];

type Order = { id: string; status: string };

/** What is sent with the hold; the same content is the same attempt. */
interface Content {
  customerName: string;
  customerEmail: string;
  locale: string;
}

/** The answer of an attempt that was not interrupted arrives earlier. */
const FIRST_PAUSE_MS = 2_000;
const LONGEST_PAUSE_MS = 20_000;

export interface Purchase {
  /** True also while the next page is loading. */
  isPending: boolean;
  buy(holdId: string, customer: Customer): Promise<Outcome<Purchased> | null>;
}

export function usePurchase(): Purchase {
  const client = useClient();
  const locale = useLanguage();
  const goOn = useGoOn();
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
    const content = { customerName: customer.name, customerEmail: customer.email, locale };
    const outcome = await purchase(client, holdId, content);
    if (outcome.success) {
      goOn(outcome.success.order);
      return outcome;
    }
    isRunning.current = false;
    setPending(false);
    return outcome;
  }

  return { isPending, buy };
}

export interface Unfinished {
  /** Whether this tab has begun the purchase, so that it can finish it. */
  isOwn: boolean;
  /** Why the last attempt failed. */
  problem: Problem | null;
}

/**
 * Repeats a purchase whose answer has not arrived, or whose outcome was not known, until it is: the
 * server keeps the tickets, but does not finish the purchase by itself.
 */
export function useUnfinishedPurchase(holdId: string, onRefused: () => void): Unfinished {
  const client = useClient();
  const goOn = useGoOn();
  const [content] = useState(() => purchaseAttempts.contentOf(holdId));
  const [problem, setProblem] = useState<Problem | null>(null);
  useEffect(() => {
    if (content === null) return undefined;
    let timer: ReturnType<typeof setTimeout>;
    let isGone = false;
    const repeat = async (nextPauseMs: number): Promise<void> => {
      const outcome = await purchase(client, holdId, JSON.parse(content) as Content);
      if (isGone) return;
      if (outcome.success) return goOn(outcome.success.order);
      setProblem(outcome.problem);
      if (outcome.problem.retryable) schedule(nextPauseMs);
      else onRefused();
    };
    const schedule = (pauseMs: number): void => {
      timer = setTimeout(() => void repeat(Math.min(2 * pauseMs, LONGEST_PAUSE_MS)), pauseMs);
    };
    schedule(FIRST_PAUSE_MS);
    return () => {
      isGone = true;
      clearTimeout(timer);
    };
  }, [client, holdId, content]);
  return { isOwn: content !== null, problem };
}

function useGoOn(): (order: Order) => void {
  const [, navigate] = useLocation();
  return ({ id, status }) => {
    // The checkout admits the payment provider, so it is a document with a policy of its own.
    if (status === "PENDING_PAYMENT") location.assign(`/orders/${id}/pay`);
    else navigate(`/orders/${id}`);
  };
}

async function purchase(client: Client, holdId: string, content: Content): Promise<Outcome<Purchased>> {
  const first = await ask(client, holdId, content);
  if (first.problem?.code !== "IDEMPOTENCY_CONFLICT") return first;
  purchaseAttempts.forget(holdId);
  return ask(client, holdId, content);
}

async function ask(client: Client, holdId: string, content: Content): Promise<Outcome<Purchased>> {
  const idempotencyKey = purchaseAttempts.keyOf(holdId, JSON.stringify(content));
  const input = { what: { holdId }, ...content, idempotencyKey };
  const result = await client.mutation(PURCHASE_TICKETS, { input }).toPromise();
  return outcomeOf(result, result.data?.purchaseTickets);
}
