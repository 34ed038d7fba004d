/** One kind of ticket: what it costs, how many are left, and how many the person wants. */

import { useState, type ReactNode } from "react";

import { DateTime } from "../../components/dateTime";
import { Money } from "../../components/money";
import { StockBadge } from "../../components/stockBadge";
import { useFormat } from "../../messages/format";
import { boundsOf, freeOf, type Limit, type Price, type Quantities, type Rules, type TierState } from "./choice";
import { useT } from "./messages";
import type { Tier } from "./stage";
import { Stepper } from "./stepper";

export interface TierRowProps {
  tier: Tier;
  state: TierState;
  quantities: Quantities;
  rules: Rules;
  /** The price that the person has seen before it changed. */
  oldPrice: Price | null;
  timeZone: string | null;
  /** Whether the server has refused the request because of this tier. */
  isFaulty: boolean;
  onChange: (quantity: number) => void;
}

export function TierRow(props: TierRowProps): ReactNode {
  const { tier, state, quantities, rules, onChange } = props;
  const t = useT();
  const [limit, setLimit] = useState<Limit | null>(null);
  const quantity = quantities[tier.id] ?? 0;
  const bounds = boundsOf(tier, quantities, rules);
  const mine = rules.mine[tier.id] ?? 0;
  const isOpen = state === "open" || quantity > 0;
  const hintId = `hint-${tier.id}`;
  const hint = isOpen ? hintOf(limit, tier, rules, bounds.max, t) : null;
  return (
    <li className="tier" data-faulty={props.isFaulty || undefined} data-chosen={quantity > 0 || undefined}>
      <div className="tier-words">
        <h2 className="tier-name" dir="auto">
          {tier.name}
        </h2>
        {tier.zone && (
          <p className="tier-note" dir="auto">
            {tier.zone}
          </p>
        )}
        {tier.description && (
          <p className="tier-note" dir="auto">
            {tier.description}
          </p>
        )}
        <p className="tier-stock">
          <Stock {...props} />
          {mine > 0 && <span className="badge tier-mine">{t("tier.mine", { count: mine })}</span>}
        </p>
      </div>
      <p className="tier-price">
        {props.oldPrice && (
          <s className="tier-old-price">
            <span className="visually-hidden">{t("price.before")} </span>
            <Money value={props.oldPrice} />
          </s>
        )}
        <Money value={tier.price as Price} />
      </p>
      {isOpen && (
        <Stepper
          name={tier.name}
          quantity={quantity}
          bounds={bounds}
          hintId={hint ? hintId : undefined}
          onChange={(next) => {
            setLimit(null);
            onChange(next);
          }}
          onLimit={() => setLimit(bounds.limit)}
        />
      )}
      {props.oldPrice && <PriceChange oldPrice={props.oldPrice} price={tier.price as Price} />}
      {hint && (
        <p className="tier-hint" id={hintId} role="status">
          {hint}
        </p>
      )}
      {quantity > freeOf(tier, rules.mine) && <p className="tier-warning">{t("tier.tooFew", { count: freeOf(tier, rules.mine) })}</p>}
    </li>
  );
}

function Stock({ tier, state, rules, timeZone }: TierRowProps): ReactNode {
  const t = useT();
  if (state === "notOpen" && tier.salesStartAt) {
    return (
      <span className="badge badge-off">
        {t("tier.notOpen")} <DateTime value={tier.salesStartAt} timeZone={timeZone} />
      </span>
    );
  }
  if (state === "saleEnded") return <span className="badge badge-off">{t("tier.saleEnded")}</span>;
  if (state === "withdrawn") return <span className="badge badge-off">{t("tier.withdrawn")}</span>;
  // Tickets in the person's own hold are not sold out for the person.
  const free = freeOf(tier, rules.mine);
  return <StockBadge available={tier.available === null ? null : (tier.available ?? null)} soldOut={free === 0} />;
}

function PriceChange({ oldPrice, price }: { oldPrice: Price; price: Price }): ReactNode {
  const t = useT();
  const format = useFormat();
  const words = {
    from: format.money(oldPrice.amount, oldPrice.currency),
    to: format.money(price.amount, price.currency),
  };
  return <p className="tier-warning">{price.minor > oldPrice.minor ? t("price.raised", words) : t("price.lowered", words)}</p>;
}

function hintOf(limit: Limit | null, tier: Tier, rules: Rules, max: number, t: ReturnType<typeof useT>): string | null {
  if (limit === "order") return t("limit.order", { count: rules.limitPerOrder });
  if (limit === "tier") return t("limit.tier", { count: tier.maxPerOrder ?? 0 });
  if (limit === "available") return t("limit.available", { count: max });
  return tier.minPerOrder > 1 ? t("limit.minimum", { count: tier.minPerOrder }) : null;
}
