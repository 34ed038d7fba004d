/** Where a person stands between an empty choice and an order, from what the server says. */

import type { ResultOf } from "@graphql-typed-document-node/core";

import type { HOLD_PAGE } from "./operations";

type Page = ResultOf<typeof HOLD_PAGE>;
export type Concert = NonNullable<Page["concert"]>;
export type Tier = Concert["tiers"][number];
export type Hold = NonNullable<Concert["myHold"]>;
export type OtherHold = NonNullable<NonNullable<Page["me"]>["holds"]>[number];

export type Stage =
  | "canceled"
  | "notPublished"
  | "notOpen"
  | "saleOver"
  | "unavailable"
  /** The concert has a queue, and the person has no valid pass. */
  | "noPass"
  | "choosing"
  | "held"
  /** An order exists, or is being recorded, and waits to be paid. */
  | "buying";

export function stageOf(concert: Concert, now: number): Stage {
  if (concert.myHold?.state === "HELD") return "held";
  if (concert.myHold?.state === "BUYING") return "buying";
  if (concert.status === "CANCELLED") return "canceled";
  if (concert.status === "DRAFT") return "notPublished";
  if (concert.status === "CLOSED" || Date.parse(concert.salesEndAt) <= now) return "saleOver";
  if (Date.parse(concert.salesStartAt) > now) return "notOpen";
  if (!concert.waitingRoom || !concert.stock) return "unavailable";
  return needsPass(concert) && !passOf(concert) ? "noPass" : "choosing";
}

function needsPass({ waitingRoom }: Concert): boolean {
  if (!waitingRoom || waitingRoom.suspended) return false;
  return !(waitingRoom.queueingMethod === "PASSTHROUGH" && waitingRoom.status === "OPEN");
}

/** The pass with which tickets can be held now, or null. */
export function passOf(concert: Concert): { token: string; expiresAt: string } | null {
  const entry = concert.myQueueEntry;
  const pass = entry?.pass;
  if (entry?.state !== "ADMITTED" || pass?.status !== "CREATED" || !pass.token) return null;
  return { token: pass.token, expiresAt: pass.expiresAt };
}
