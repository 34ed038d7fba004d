/** Holding tickets, changing the choice and giving tickets back. Each attempt has one effect. */

import type { ResultOf } from "@graphql-typed-document-node/core";
import { useState } from "react";
import { useClient, type Client } from "urql";

import { outcomeOf, type Outcome, type SuccessOf } from "../../api/outcome";
import { useSession } from "../../shop/session";
import { holdAttempts } from "./attempts";
import type { Line } from "./choice";
import { HOLD_TICKETS, RELEASE_HOLD } from "./operations";
import { passOf, type Concert, type Hold } from "./stage";

export type Held = ResultOf<typeof HOLD_TICKETS>["holdTickets"];
export type Released = ResultOf<typeof RELEASE_HOLD>["releaseHold"];

export interface Holding {
  isPending: boolean;
  /** Holds these tickets; if the person has a hold, instead of those in it. */
  hold(lines: Line[]): Promise<Outcome<Held>>;
  release(holdId: string): Promise<Outcome<Released>>;
}

export function useHolding(concert: Concert): Holding {
  const client = useClient();
  const { session } = useSession();
  const [isPending, setPending] = useState(false);
  const place = `${concert.id}.${session?.name ?? ""}`;

  async function pending<Result>(action: () => Promise<Result>): Promise<Result> {
    setPending(true);
    try {
      return await action();
    } finally {
      setPending(false);
    }
  }

  async function release(holdId: string): Promise<Outcome<Released>> {
    const result = await client.mutation(RELEASE_HOLD, { holdId }).toPromise();
    const outcome = outcomeOf(result, result.data?.releaseHold);
    if (outcome.success) holdAttempts.forget(place);
    return outcome;
  }

  return {
    isPending,
    hold: (lines) =>
      pending(() => {
        const own = concert.myHold?.state === "HELD" ? concert.myHold : null;
        return own ? replace(client, concert, place, own, lines) : create(client, concert, place, lines);
      }),
    release: (holdId) => pending(() => release(holdId)),
  };
}

/** Holds the lines. A hold that the same attempt made earlier and that has ended counts no more. */
async function create(client: Client, concert: Concert, place: string, lines: Line[]): Promise<Outcome<Held>> {
  const first = await ask(client, concert, place, lines);
  const isOver = first.success && first.success.hold.state !== "HELD" && first.success.hold.state !== "BUYING";
  if (!isOver && first.problem?.code !== "IDEMPOTENCY_CONFLICT") return first;
  holdAttempts.forget(place);
  return ask(client, concert, place, lines);
}

async function ask(client: Client, concert: Concert, place: string, lines: Line[]): Promise<Outcome<Held>> {
  const input = {
    concertId: concert.id,
    lines,
    idempotencyKey: holdAttempts.keyOf(place, JSON.stringify(lines)),
    queuePass: passOf(concert)?.token ?? null,
  };
  const result = await client.mutation(HOLD_TICKETS, { input }).toPromise();
  return outcomeOf(result, result.data?.holdTickets);
}

/**
 * Holds other tickets and then releases the own ones, so that nothing is lost if the others are
 * gone. If the limits or the stock do not allow both at once, the own ones are released first.
 */
async function replace(client: Client, concert: Concert, place: string, own: Hold, lines: Line[]): Promise<Outcome<Held>> {
  if (isSame(own, lines)) return keep(own);
  const beside = await create(client, concert, place, lines);
  if (beside.success) {
    if (beside.success.hold.id !== own.id) await client.mutation(RELEASE_HOLD, { holdId: own.id }).toPromise();
    return beside;
  }
  if (!isInTheWay(beside, own)) return beside;
  const result = await client.mutation(RELEASE_HOLD, { holdId: own.id }).toPromise();
  if (!outcomeOf(result, result.data?.releaseHold).success) return beside;
  return create(client, concert, place, lines);
}

function isSame(own: Hold, lines: Line[]): boolean {
  const text = (all: readonly Line[]): string =>
    all.map(({ tierId, quantity }) => `${tierId} ${String(quantity)}`).sort().join();
  return text(own.lines) === text(lines);
}

function keep(own: Hold): Outcome<Held> {
  const success = { __typename: "HoldTicketsSuccess", hold: own, concert: null };
  return { success: success as unknown as SuccessOf<Held> };
}

/** Whether the request may succeed once the person's own tickets are free. */
function isInTheWay({ refusal }: Outcome<Held>, own: Hold): boolean {
  if (refusal?.__typename === "LimitExceededError") return refusal.scope === "PERSON";
  if (refusal?.__typename !== "SoldOutError") return false;
  return own.lines.some(({ tierId }) => tierId === refusal.tierId);
}
