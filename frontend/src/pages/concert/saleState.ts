/** What a concert's sale and its waiting room are doing now, by the server's clock. */

import { serverNow, useHasPassed } from "../../api/serverClock";

export type SaleState = "draft" | "canceled" | "over" | "notYet" | "soldOut" | "onSale";

export interface Sale {
  status: "DRAFT" | "PUBLISHED" | "CLOSED" | "CANCELLED";
  salesStartAt: string;
  salesEndAt: string;
  stock: { soldOut: boolean } | null;
}

/** Returns the state, and renders again at the moment when the clock changes it. */
export function useSaleState({ status, salesStartAt, salesEndAt, stock }: Sale): SaleState {
  const hasStarted = useHasPassed(salesStartAt);
  const hasEnded = useHasPassed(salesEndAt);
  if (status === "DRAFT") return "draft";
  if (status === "CANCELLED") return "canceled";
  if (status === "CLOSED" || hasEnded) return "over";
  if (!hasStarted) return "notYet";
  return stock?.soldOut ? "soldOut" : "onSale";
}

export type RoomStatus = "SUSPENDED" | "SCHEDULED" | "PREQUEUE" | "OPEN" | "PAUSED" | "REJECTING" | "CLOSED";

export interface Room {
  status: RoomStatus;
  prequeueStartsAt: string | null;
  opensAt: string;
}

/**
 * Returns the status of the waiting room. It opens by the clock, so the page does not have to ask
 * the server at the moment when everyone would ask.
 */
export function useRoomStatus(room: Room | null): RoomStatus {
  const canJoin = useHasPassed(room?.prequeueStartsAt);
  const isOpen = useHasPassed(room?.opensAt);
  if (!room) return "SUSPENDED";
  if (room.status === "SCHEDULED" || room.status === "PREQUEUE") {
    if (isOpen) return "OPEN";
    return canJoin ? "PREQUEUE" : room.status;
  }
  return room.status;
}

/** Whether buyers have to wait in a queue: whether the waiting room has a part in the sale. */
export const hasQueue = (status: RoomStatus): boolean => status !== "SUSPENDED" && status !== "CLOSED";

/** Whether a countdown of seconds makes sense: the instant is less than a day away. */
export const isSoon = (instant: string): boolean => Date.parse(instant) - serverNow() < 86_400_000;
