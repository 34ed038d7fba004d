/** The end of a place: why it ended, and what to do next. */

import { useEffect, type ReactNode } from "react";

import { useAnnounce } from "../../components/announce";
import { Button, LinkButton } from "../../components/button";
import { Notice } from "../../components/notice";
import { PageTitle } from "../../components/pageTitle";
import { useRefusal } from "../../messages/refusals";
import { Tickets } from "./aside";
import type { Concert, QueueEntry } from "./stage";
import { useT } from "./messages";
import type { Joining } from "./useJoin";
import type { Queue } from "./useQueue";

type End = NonNullable<QueueEntry["endReason"]>;

interface EndedProps {
  queue: Queue;
  joining: Joining;
  join: () => void;
}

export function Ended({ queue, joining, join }: EndedProps): ReactNode {
  const t = useT();
  const announce = useAnnounce();
  const entry = queue.concert?.myQueueEntry;
  const end = endOf(entry);
  const title = t(`ended.${end}.title`);
  const text = t(`ended.${end}.text`);
  useEffect(() => {
    announce(`${title} ${text}`);
  }, [announce, title, text]);
  const { concert } = queue;
  if (!concert || !entry) return null;
  return (
    <div className="queue-body">
      <div className="queue-main">
        <PageTitle>{title}</PageTitle>
        <p className="queue-ahead">{text}</p>
        <NextStep queue={queue} joining={joining} join={join} />
      </div>
      <aside className="queue-aside">
        <Tickets concert={concert} />
      </aside>
    </div>
  );
}

function NextStep({ queue, joining, join }: EndedProps): ReactNode {
  const t = useT();
  const refusal = useRefusal();
  const { concert } = queue;
  if (!concert) return null;
  const isBought = concert.myQueueEntry?.endReason === "SPENT";
  const status = concert.waitingRoom?.status;
  const isOpen = status === "OPEN" || status === "PAUSED" || status === "PREQUEUE";
  const isJoinable = isOpen && concert.status === "PUBLISHED" && !isOver(concert);
  const isAsking = joining.kind === "asking" || joining.kind === "solving" || joining.kind === "repeating";
  return (
    <>
      {concert.stock?.soldOut && !isBought && (
        <Notice tone="warning" title={t("ended.soldOut.title")}>
          {t("ended.soldOut.text")}
        </Notice>
      )}
      <div className="queue-actions">
        {isBought && <LinkButton href="/tickets">{t("toTickets")}</LinkButton>}
        {isJoinable && (
          <Button variant={isBought ? "secondary" : "primary"} isPending={isAsking} onPress={join}>
            {isBought ? t("ended.joinForMore") : t("ended.join")}
          </Button>
        )}
        <LinkButton variant="secondary" href={`/concerts/${concert.slug}`}>
          {t("toConcert")}
        </LinkButton>
      </div>
      {!isJoinable && !isOver(concert) && <p className="queue-note">{t("ended.notJoinable")}</p>}
      {(joining.kind === "refused" || joining.kind === "repeating") && (
        <Notice tone="warning">{refusal(joining.problem)}</Notice>
      )}
    </>
  );
}

/** Whether the sale has ended for good: if it opens again, a new round begins. */
function isOver({ myQueueEntry: entry, waitingRoom }: Concert): boolean {
  const isEndOfSale = entry?.endReason === "SALE_OVER" || entry?.endReason === "CONCERT_CANCELLED";
  return isEndOfSale && entry.round === waitingRoom?.round;
}

const KNOWN: ReadonlySet<string> = new Set<End>([
  "SPENT",
  "LEFT",
  "ABSENT",
  "NOT_CLAIMED",
  "SESSION_OVER",
  "RESET",
  "SALE_OVER",
  "CONCERT_CANCELLED",
]);

/** A reason that a later release adds is told as an expired place. */
function endOf(entry: QueueEntry | null | undefined): End {
  const reason = entry?.endReason;
  if (reason && KNOWN.has(reason)) return reason;
  return "ABSENT";
}
