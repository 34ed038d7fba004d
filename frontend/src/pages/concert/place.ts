/** The place of the person in the queue. */

import { useSubscription } from "urql";

import type { MyConcertQuery } from "../../api/generated/graphql";
import { PlaceChanges } from "./operations";

export type Entry = NonNullable<MyConcertQuery["concert"]>["myQueueEntry"];

const ACTIVE_ENTRIES = new Set(["PREQUEUED", "WAITING", "READY", "ADMITTED"]);

export const isActiveEntry = (entry: Entry | undefined): boolean => ACTIVE_ENTRIES.has(entry?.state ?? "");

/** Follows the place while it lives, and keeps it. */
export function usePlace(concertId: string, entry: Entry | undefined): void {
  useSubscription({ query: PlaceChanges, variables: { id: concertId }, pause: !isActiveEntry(entry) });
}
