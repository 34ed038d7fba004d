/** Sorts tickets by their concerts. */

const HOUR_MS = 3_600_000;
/** A concert is past this long after its start, because its end is not known. */
const LASTS_MS = 8 * HOUR_MS;

interface Grouped {
  concert: { id: string; startsAt: string } | null;
}

export interface TicketGroup<Ticket extends Grouped> {
  concert: Ticket["concert"];
  tickets: Ticket[];
}

export interface TicketGroups<Ticket extends Grouped> {
  /** The next concert first. Tickets whose concert could not be read come last. */
  upcoming: TicketGroup<Ticket>[];
  /** The latest concert first. */
  past: TicketGroup<Ticket>[];
}

/** `now` is in Unix milliseconds, by the server's clock. */
export function groupTickets<Ticket extends Grouped>(tickets: readonly Ticket[], now: number): TicketGroups<Ticket> {
  const groups = new Map<string, TicketGroup<Ticket>>();
  for (const ticket of tickets) {
    const id = ticket.concert?.id ?? "";
    const group = groups.get(id);
    if (group) group.tickets.push(ticket);
    else groups.set(id, { concert: ticket.concert, tickets: [ticket] });
  }
  const sorted = [...groups.values()].sort((one, other) => startOf(one) - startOf(other));
  const isPast = (group: TicketGroup<Ticket>): boolean => startOf(group) + LASTS_MS < now;
  return { upcoming: sorted.filter((group) => !isPast(group)), past: sorted.filter(isPast).reverse() };
}

function startOf({ concert }: TicketGroup<Grouped>): number {
  return concert ? Date.parse(concert.startsAt) : Number.POSITIVE_INFINITY;
}
