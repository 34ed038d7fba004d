/** What a person who opens the waiting room is shown, from what the server says. */

import type { ResultOf } from "@graphql-typed-document-node/core";

import type { QUEUE_ENTRY_PAGE, QUEUE_POSITION } from "./operations";

export type Concert = NonNullable<ResultOf<typeof QUEUE_ENTRY_PAGE>["concert"]>;
export type WaitingRoom = NonNullable<Concert["waitingRoom"]>;
export type QueueEntry = NonNullable<Concert["myQueueEntry"]>;
export type Stock = NonNullable<Concert["stock"]>;
export type Live = ResultOf<typeof QUEUE_POSITION>["queuePosition"];
export type RoomStatus = WaitingRoom["status"];

export type Stage =
  /** The concert itself is not for sale: canceled, closed, or not published. */
  | "canceled"
  | "saleOver"
  | "notPublished"
  /** The waiting room is off, or lets everyone through: tickets can be chosen at once. */
  | "noQueue"
  | "unavailable"
  | "signedOut"
  /** No place yet: the room does not take anyone now, or the place is being asked for. */
  | "notOpen"
  | "rejecting"
  | "joining"
  /** The place: before the opening, waiting, called, let in, and its end. */
  | "prequeued"
  | "waiting"
  | "ready"
  | "admitted"
  | "ended";

const ACTIVE: ReadonlySet<QueueEntry["state"]> = new Set(["PREQUEUED", "WAITING", "READY", "ADMITTED"]);

export const isActive = (entry: QueueEntry | null | undefined): entry is QueueEntry =>
  entry !== null && entry !== undefined && ACTIVE.has(entry.state);

/** `status` is the room's newest one: pushes bring it before the next query does. */
export function stageOf(concert: Concert, status: RoomStatus | undefined, isSignedIn: boolean): Stage {
  const entry = concert.myQueueEntry;
  const isFree = status === "SUSPENDED" || isPassingThrough(concert, status);
  if (isActive(entry) && !(isFree && entry.state !== "ADMITTED")) return ACTIVE_STAGES[entry.state] ?? "waiting";
  if (concert.status === "CANCELLED") return "canceled";
  if (concert.status === "DRAFT") return "notPublished";
  if (concert.status === "CLOSED" || status === "CLOSED") return "saleOver";
  if (!status) return "unavailable";
  if (isFree) return "noQueue";
  if (!isSignedIn) return "signedOut";
  if (entry) return "ended";
  if (status === "SCHEDULED") return "notOpen";
  return status === "REJECTING" ? "rejecting" : "joining";
}

const ACTIVE_STAGES: Partial<Record<QueueEntry["state"], Stage>> = {
  PREQUEUED: "prequeued",
  WAITING: "waiting",
  READY: "ready",
  ADMITTED: "admitted",
};

function isPassingThrough(concert: Concert, status: RoomStatus | undefined): boolean {
  return concert.waitingRoom?.queueingMethod === "PASSTHROUGH" && status === "OPEN";
}
