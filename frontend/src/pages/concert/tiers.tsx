/** The kinds of tickets with their prices and stock, which change while the page is open. */

import { useEffect, useRef, type ReactNode } from "react";

import { useHasPassed } from "../../api/serverClock";
import { useAnnounce } from "../../components/announce";
import { DateTime } from "../../components/dateTime";
import { Money, type MoneyValue } from "../../components/money";
import { StockBadge } from "../../components/stockBadge";
import { useFormat } from "../../messages/format";
import { useT } from "./messages";
import type { ConcertData } from "./page";
import { useSaleState, type SaleState } from "./saleState";

type Tier = ConcertData["tiers"][number];
type TierStock = NonNullable<ConcertData["stock"]>["tiers"][number];

export function Tiers({ concert }: { concert: ConcertData }): ReactNode {
  const t = useT();
  const state = useSaleState(concert);
  const stock = new Map(concert.stock?.tiers.map((tier) => [tier.tierId, tier]));
  if (concert.tiers.length === 0) return null;
  return (
    <section className="tiers">
      <h2>{t("tiers.title")}</h2>
      {!concert.stock && <p className="tiers-unknown">{t("tiers.unknown")}</p>}
      <ul role="list">
        {concert.tiers.map((tier) => (
          <TierRow
            key={tier.id}
            tier={tier}
            stock={stock.get(tier.id)}
            state={state}
            timeZone={concert.venue.timeZone}
          />
        ))}
      </ul>
    </section>
  );
}

interface RowProps {
  tier: Tier;
  stock: TierStock | undefined;
  state: SaleState;
  timeZone: string | null;
}

function TierRow({ tier, stock, state, timeZone }: RowProps): ReactNode {
  const price = stock?.price ?? tier.price;
  const earlier = usePriceChange(tier.name, price);
  return (
    <li className="tier">
      <div className="tier-words">
        <h3>
          <bdi>{tier.name}</bdi>
        </h3>
        {tier.zone && tier.zone !== tier.name && (
          <p>
            <bdi>{tier.zone}</bdi>
          </p>
        )}
        {tier.description && (
          <p>
            <bdi>{tier.description}</bdi>
          </p>
        )}
        <TierRules tier={tier} timeZone={timeZone} />
      </div>
      <div className="tier-numbers">
        <p className="tier-price">
          {earlier && <EarlierPrice value={earlier} />} <Money value={price} />
        </p>
        <TierState tier={tier} stock={stock} state={state} />
      </div>
    </li>
  );
}

function TierState({ tier, stock, state }: Omit<RowProps, "timeZone">): ReactNode {
  const t = useT();
  const hasStarted = useHasPassed(tier.salesStartAt) || tier.salesStartAt === null;
  const hasEnded = useHasPassed(tier.salesEndAt);
  if (state === "canceled" || state === "over" || state === "notYet") return null;
  if (tier.isWithdrawn) return <span className="badge badge-off">{t("tier.offSale")}</span>;
  if (hasEnded) return <span className="badge badge-off">{t("tier.ended")}</span>;
  if (!hasStarted) return <span className="badge badge-off">{t("tier.notYet")}</span>;
  return stock ? <StockBadge available={stock.available} soldOut={false} /> : null;
}

function TierRules({ tier, timeZone }: { tier: Tier; timeZone: string | null }): ReactNode {
  const t = useT();
  const { salesStartAt, salesEndAt, minPerOrder, maxPerOrder } = tier;
  const isEnding = useHasPassed(salesStartAt) || salesStartAt === null;
  return (
    <>
      {!isEnding && (
        <p>
          {t("tier.from")} <DateTime value={salesStartAt} timeZone={timeZone} hasOwnTime />
        </p>
      )}
      {salesEndAt && (
        <p>
          {t("tier.until")} <DateTime value={salesEndAt} timeZone={timeZone} hasOwnTime />
        </p>
      )}
      {minPerOrder > 1 && <p>{t("tier.minimum", { count: minPerOrder })}</p>}
      {maxPerOrder !== null && <p>{t("tier.maximum", { count: maxPerOrder })}</p>}
    </>
  );
}

function EarlierPrice({ value }: { value: MoneyValue }): ReactNode {
  const t = useT();
  return (
    <s className="tier-earlier">
      <span className="visually-hidden">{t("tier.earlier")} </span>
      <Money value={value} />
    </s>
  );
}

/** Announces a new price, and returns the one that the page showed first if it differs. */
function usePriceChange(name: string, price: MoneyValue): MoneyValue | null {
  const t = useT();
  const { money } = useFormat();
  const announce = useAnnounce();
  const first = useRef(price);
  const last = useRef(price.amount);
  useEffect(() => {
    if (last.current === price.amount) return;
    last.current = price.amount;
    announce(t("tier.newPrice", { name, price: money(price.amount, price.currency) }));
  }, [price.amount]);
  return first.current.amount === price.amount ? null : first.current;
}
