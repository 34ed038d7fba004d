/** A concert in the list. */

import type { ReactNode } from "react";
import { Link } from "wouter";

import type { ConcertCardFragment } from "../../api/generated/graphql";
import { Clock } from "../../components/clock";
import { DateTime } from "../../components/dateTime";
import { Money } from "../../components/money";
import { Poster } from "../../components/poster";
import { StockBadge } from "../../components/stockBadge";
import { useFormat } from "../../messages/format";
import { hasQueue, isSoon, useRoomStatus, useSaleState } from "../concert/saleState";
import { useT } from "./messages";

const POSTER_SIZES = "(min-width: 72rem) 17rem, (min-width: 40rem) 33vw, 7rem";

export function Card({ concert, isFirst }: { concert: ConcertCardFragment; isFirst: boolean }): ReactNode {
  const { venue, image, startsAt } = concert;
  return (
    <article className="card">
      <Poster image={image} id={concert.id} name={concert.name} sizes={POSTER_SIZES} isFirst={isFirst} />
      <div className="card-words">
        <p className="card-date">
          <DateTime value={startsAt} timeZone={venue.timeZone} format="dateTime" />
        </p>
        <h2 className="card-name">
          <Link href={`/concerts/${concert.slug}`}>
            <bdi>{concert.name}</bdi>
          </Link>
        </h2>
        <p className="card-place">
          <bdi>
            {venue.name}, {venue.city}
          </bdi>
        </p>
        <SaleLine concert={concert} />
      </div>
    </article>
  );
}

/** What the person can do about this concert now: the price and the stock, or when the sale starts. */
function SaleLine({ concert }: { concert: ConcertCardFragment }): ReactNode {
  const t = useT();
  const state = useSaleState(concert);
  const room = useRoomStatus(concert.waitingRoom);
  if (state === "canceled") return <p className="card-sale badge badge-off">{t("sale.canceled")}</p>;
  if (state === "over") return <p className="card-sale badge badge-off">{t("sale.over")}</p>;
  if (state === "draft") return <p className="card-sale badge badge-off">{t("sale.draft")}</p>;
  return (
    <div className="card-sale">
      <Price concert={concert} />
      {state === "notYet" ? <SaleStart at={concert.salesStartAt} /> : <Stock concert={concert} />}
      {hasQueue(room) && state !== "soldOut" && <span className="card-queue">{t("sale.queue")}</span>}
    </div>
  );
}

function Price({ concert: { stock } }: { concert: ConcertCardFragment }): ReactNode {
  const t = useT();
  const range = stock?.priceRange;
  if (!range) return null;
  const isOne = range.lowest.amount === range.highest.amount;
  return (
    <span className="card-price">
      {!isOne && <>{t("price.from")} </>}
      <Money value={range.lowest} />
    </span>
  );
}

function Stock({ concert: { stock } }: { concert: ConcertCardFragment }): ReactNode {
  if (!stock) return null;
  const available = stock.tiers.reduce((sum, tier) => sum + tier.available, 0);
  return <StockBadge available={available} soldOut={stock.soldOut} />;
}

function SaleStart({ at }: { at: string }): ReactNode {
  const t = useT();
  const { dateTime } = useFormat();
  return (
    <span className="badge badge-soon">
      <span>
        {isSoon(at) ? (
          <>
            {t("sale.in")} <Clock until={at} label={t("sale.countdown")} />
          </>
        ) : (
          t("sale.from", { time: dateTime(at, null, "dateTime") })
        )}
      </span>
    </span>
  );
}
