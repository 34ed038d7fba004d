import { useEffect, useState, type ReactNode } from "react";
import { useQuery } from "urql";
import { Link } from "wouter";

import type { MyTicketsQuery } from "../../api/generated/graphql";
import { useNow } from "../../api/serverClock";
import { Button, LinkButton } from "../../components/button";
import { DateTime } from "../../components/dateTime";
import { Notice } from "../../components/notice";
import { Poster } from "../../components/poster";
import { Skeleton } from "../../components/skeleton";
import { useFormat } from "../../messages/format";
import { groupTickets, type TicketGroup } from "./groups";
import { MyTickets as Query } from "./operations";
import { TicketCard } from "./ticketCard";
import { useT } from "./text";

type Ticket = NonNullable<NonNullable<NonNullable<MyTicketsQuery["me"]>["tickets"]>["nodes"][number]>;
type Group = TicketGroup<Ticket>;

const MINUTE_MS = 60_000;

/** One page of the viewer's tickets by their concerts, and the following pages when they are wanted. */
export function MyTickets({ after = null }: { after?: string | null }): ReactNode {
  const t = useT();
  const now = useNow(MINUTE_MS);
  const [{ data, fetching }, refetch] = useQuery({
    query: Query,
    variables: { after },
    requestPolicy: "cache-and-network",
  });
  const [hasMore, setHasMore] = useState(false);
  const retry = (): void => refetch({ requestPolicy: "network-only" });
  useReturn(retry);
  const tickets = data?.me?.tickets;
  if (!tickets) return fetching ? <Skeleton lines={6} /> : <Failed onRetry={retry} />;
  if (tickets.nodes.length === 0 && !after) return <NoTickets />;
  const { upcoming, past } = groupTickets(tickets.nodes, now);
  const { hasNextPage, endCursor } = tickets.pageInfo;
  return (
    <>
      {upcoming.length > 0 && <Groups groups={upcoming} heading={t("tickets.upcoming")} isFirst={!after} />}
      {past.length > 0 && (
        <details className="past" open={upcoming.length === 0}>
          <summary>
            <h2>{t("tickets.past")}</h2>
          </summary>
          <Groups groups={past} heading={null} isFirst={false} />
        </details>
      )}
      {hasMore && <MyTickets after={endCursor} />}
      {hasNextPage && !hasMore && (
        <p>
          <Button variant="secondary" onPress={() => setHasMore(true)}>
            {t("tickets.older")}
          </Button>
        </p>
      )}
    </>
  );
}

/** A ticket may have been passed on, scanned or refunded while the page was hidden. */
function useReturn(onReturn: () => void): void {
  useEffect(() => {
    const listener = (): void => {
      if (document.visibilityState === "visible") onReturn();
    };
    document.addEventListener("visibilitychange", listener);
    return () => document.removeEventListener("visibilitychange", listener);
  });
}

function Groups({ groups, heading, isFirst }: { groups: Group[]; heading: string | null; isFirst: boolean }): ReactNode {
  return (
    <section className="ticket-groups" aria-label={heading ?? undefined}>
      {groups.map((group, index) => (
        <ConcertTickets key={group.concert?.id ?? ""} group={group} isFirst={isFirst && index === 0} />
      ))}
    </section>
  );
}

function ConcertTickets({ group: { concert, tickets }, isFirst }: { group: Group; isFirst: boolean }): ReactNode {
  const t = useT();
  const format = useFormat();
  const timeZone = concert?.venue.timeZone ?? null;
  return (
    <div className="ticket-group">
      {concert && (
        <header className="ticket-concert">
          <div className="ticket-poster">
            <Poster image={concert.image} id={concert.id} name={concert.name} sizes="8rem" isFirst={isFirst} />
          </div>
          <div>
            <h2>
              <Link href={`/concerts/${concert.slug}`}>
                <bdi>{concert.name}</bdi>
              </Link>
            </h2>
            <p>
              <DateTime value={concert.startsAt} timeZone={timeZone} hasOwnTime />
            </p>
            <p className="soft">
              <bdi>{`${concert.venue.name}, ${concert.venue.city}`}</bdi>
              {concert.doorsAt && ` · ${t("tickets.doors", { time: format.dateTime(concert.doorsAt, timeZone, "time") })}`}
            </p>
          </div>
        </header>
      )}
      {concert?.status === "CANCELLED" && <Notice tone="warning">{t("tickets.canceledConcert")}</Notice>}
      <ul role="list" className="ticket-list">
        {tickets.map((ticket, index) => (
          <li key={ticket.id}>
            <TicketCard ticket={ticket} timeZone={timeZone} index={index + 1} count={tickets.length} />
          </li>
        ))}
      </ul>
    </div>
  );
}

function NoTickets(): ReactNode {
  const t = useT();
  return (
    <Notice title={t("tickets.none")} actions={<LinkButton href="/">{t("tickets.browse")}</LinkButton>}>
      {t("tickets.noneText")}
    </Notice>
  );
}

function Failed({ onRetry }: { onRetry(): void }): ReactNode {
  const t = useT();
  return (
    <Notice tone="danger" title={t("tickets.failed")} actions={<Button onPress={onRetry}>{t("tickets.tryAgain")}</Button>}>
      {t("tickets.failedText")}
    </Notice>
  );
}
