import { useCallback, useEffect, useRef } from "react";
import { useMutation, useQuery, useSubscription } from "urql";

import { useRefreshWhileStopped } from "../../api/connection";
import { outcomeOf } from "../../api/outcome";
import { CheckoutPage, CheckoutPush, OrderPage, OrderPush, SyncOrderPayment } from "./operations";

/** Reads an order, and follows its changes. */
export function useOrder(id: string) {
  const [{ data, error, fetching }, execute] = useQuery({ query: OrderPage, variables: { id } });
  const refetch = useCallback(() => execute({ requestPolicy: "network-only" }), [execute]);
  const order = data?.order;
  useSubscription({ query: OrderPush, variables: { id }, pause: !order });
  // A push has no codes. They change with the state and the generation of their tickets.
  const tickets = order?.tickets.map((ticket) => `${ticket.id} ${ticket.generation} ${ticket.state}`).join();
  const known = useRef(tickets);
  useEffect(() => {
    if (known.current !== undefined && known.current !== tickets) refetch();
    known.current = tickets;
  }, [tickets, refetch]);
  useRefreshWhileStopped(refetch);
  return { order, error, fetching, refetch };
}

/** Reads an order that is to be paid, and follows its changes. */
export function useUnpaidOrder(id: string) {
  const [{ data, error, fetching }, execute] = useQuery({
    query: CheckoutPage,
    variables: { id },
    requestPolicy: "cache-and-network",
  });
  const refetch = useCallback(() => execute({ requestPolicy: "network-only" }), [execute]);
  const order = data?.order;
  useSubscription({ query: CheckoutPush, variables: { id }, pause: !order });
  useRefreshWhileStopped(refetch);
  return { order, error, fetching, refetch };
}

/** Later attempts are of no use: by then the provider has told the server itself. */
const MAX_ATTEMPTS = 5;

/** Returns a function that lets the server ask the provider about the payment of an order. */
export function useSyncPayment(orderId: string): () => void {
  const [, run] = useMutation(SyncOrderPayment);
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  useEffect(() => () => clearTimeout(timer.current), []);

  async function sync(attempt: number): Promise<void> {
    const result = await run({ input: { orderId } });
    const { problem } = outcomeOf(result, result.data?.syncOrderPayment);
    if (!problem?.retryable || attempt >= MAX_ATTEMPTS) return;
    const seconds = Math.max(problem.retryAfterSeconds ?? 0, 2 ** attempt);
    clearTimeout(timer.current);
    timer.current = setTimeout(() => void sync(attempt + 1), seconds * 1_000);
  }
  return () => void sync(1);
}
