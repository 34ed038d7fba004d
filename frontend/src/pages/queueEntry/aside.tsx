/** What a person wants to know while waiting: the organizer's words, the next steps, and the tickets. */

import type { ReactNode } from "react";

import { Money, type MoneyValue } from "../../components/money";
import { StockBadge } from "../../components/stockBadge";
import type { Concert, Stock, WaitingRoom } from "./stage";
import { useT } from "./messages";
import type { Queue } from "./useQueue";

export function Aside({ queue }: { queue: Queue }): ReactNode {
  const { concert, live } = queue;
  if (!concert) return null;
  const message = live?.message ?? concert.waitingRoom?.message ?? "";
  return (
    <aside className="queue-aside">
      <OrganizerMessage text={message} />
      {concert.waitingRoom && <NextSteps concert={concert} room={concert.waitingRoom} />}
      <Tickets concert={concert} />
    </aside>
  );
}

export function OrganizerMessage({ text }: { text: string }): ReactNode {
  const t = useT();
  if (!text) return null;
  return (
    <section className="queue-message" aria-labelledby="queue-message">
      <h2 className="queue-card-title" id="queue-message">
        {t("message.label")}
      </h2>
      <p className="queue-message-text">
        <bdi>{text}</bdi>
      </p>
    </section>
  );
}

function NextSteps({ concert, room }: { concert: Concert; room: WaitingRoom }): ReactNode {
  const t = useT();
  return (
    <section className="queue-card" aria-labelledby="queue-steps">
      <h2 className="queue-card-title" id="queue-steps">
        {t("steps.label")}
      </h2>
      <ol className="queue-steps">
        <li aria-current="step">
          <span>{t("steps.wait")}</span>
        </li>
        <li>
          <span>{t("steps.call", { time: durationWords(room.passClaimTimeoutSeconds, t) })}</span>
        </li>
        <li>
          <span>{t("steps.choose", { time: durationWords(room.sessionDurationSeconds, t) })}</span>
        </li>
        <li>
          <span>{t("steps.pay", { time: durationWords(concert.paymentDurationSeconds, t) })}</span>
        </li>
      </ol>
    </section>
  );
}

export function durationWords(seconds: number, t: ReturnType<typeof useT>): string {
  if (seconds < 120 && seconds % 60 !== 0) return t("seconds", { count: seconds });
  return t("minutes", { count: Math.floor(seconds / 60) });
}

export function Tickets({ concert }: { concert: Concert }): ReactNode {
  const t = useT();
  const { stock } = concert;
  if (!stock) return null;
  const names = new Map(concert.tiers.map((tier) => [tier.id, tier.name]));
  return (
    <section className="queue-card" aria-labelledby="queue-tickets">
      <h2 className="queue-card-title" id="queue-tickets">
        {t("tickets.label")}
      </h2>
      <Range range={stock.priceRange} />
      <ul className="queue-tiers" role="list">
        {stock.tiers.map(({ tierId, available, price }) => (
          <li key={tierId}>
            <span>{names.get(tierId)}</span>
            <Money value={price as MoneyValue} />
            <StockBadge available={available} soldOut={available === 0} />
          </li>
        ))}
      </ul>
      {stock.soldOut && <p className="queue-note">{t("tickets.soldOutNow")}</p>}
    </section>
  );
}

function Range({ range }: { range: Stock["priceRange"] }): ReactNode {
  if (!range) return null;
  const isOne = range.lowest.minor === range.highest.minor;
  return (
    <p className="queue-range">
      <Money value={range.lowest as MoneyValue} />
      {!isOne && (
        <>
          {" – "}
          <Money value={range.highest as MoneyValue} />
        </>
      )}
    </p>
  );
}
