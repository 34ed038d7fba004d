/** The place of the person in the queue, which also tells the page when the sale is over. */

import { useEffect, useRef } from "react";
import { useSubscription } from "urql";

import type { MyConcertQuery } from "../../api/generated/graphql";
import { PlaceChanges } from "./operations";

export type Entry = NonNullable<MyConcertQuery["concert"]>["myQueueEntry"];

const ACTIVE_ENTRIES = new Set(["PREQUEUED", "WAITING", "READY", "ADMITTED"]);

export const isActiveEntry = (entry: Entry | undefined): boolean => ACTIVE_ENTRIES.has(entry?.state ?? "");

/**
 * Follows the place while it lives, and keeps it. Calls `refresh` once when the place ends or the
 * room closes, because the organizer may have closed the sale or canceled the concert.
 */
export function usePlace(concertId: string, entry: Entry | undefined, refresh: () => void): void {
  const isActive = isActiveEntry(entry);
  const [{ data }] = useSubscription({ query: PlaceChanges, variables: { id: concertId }, pause: !isActive });
  const isOver = !isActive || data?.queuePosition.roomStatus === "CLOSED";
  const wasOver = useRef(isOver);
  useEffect(() => {
    if (isOver && !wasOver.current) refresh();
    wasOver.current = isOver;
  }, [isOver, refresh]);
}
