import type { ReactNode } from "react";

import type { OrderFieldsFragment } from "../../api/generated/graphql";
import { DateTime } from "../../components/dateTime";
import { Money } from "../../components/money";
import { useFormat } from "../../messages/format";
import { useT } from "./text";

/** What was ordered, and for how much. */
export function OrderSummary({ order }: { order: OrderFieldsFragment }): ReactNode {
  const t = useT();
  const format = useFormat();
  return (
    <section className="order-summary" aria-labelledby="order-summary">
      <h2 id="order-summary">{t("summary.heading")}</h2>
      <OrderConcert order={order} />
      <ul role="list" className="order-lines">
        {order.lines.map((line) => (
          <li key={line.tierId}>
            <span>
              {t("summary.line", { quantity: format.number(line.quantity), tier: line.tier?.name ?? t("summary.tier") })}
              {line.quantity > 1 && (
                <span className="soft">
                  {t("summary.each", { price: format.money(line.unitPrice.amount, line.unitPrice.currency) })}
                </span>
              )}
            </span>
            <Money value={line.total} />
          </li>
        ))}
      </ul>
      <dl className="order-totals">
        <div className="order-total">
          <dt>{t("summary.total")}</dt>
          <dd>
            <Money value={order.total} />
          </dd>
        </div>
        {order.refunded.minor > 0 && (
          <div>
            <dt>{t("summary.refunded")}</dt>
            <dd>
              <Money value={order.refunded} />
            </dd>
          </div>
        )}
      </dl>
      <p className="soft">
        {t("summary.number", { number: order.number })}
        <br />
        {t("summary.customer", { email: order.customerEmail })}
      </p>
    </section>
  );
}

function OrderConcert({ order: { concert } }: { order: OrderFieldsFragment }): ReactNode {
  if (!concert) return null;
  return (
    <div className="order-concert">
      <p className="order-concert-name">
        <bdi>{concert.name}</bdi>
      </p>
      <p>
        <DateTime value={concert.startsAt} timeZone={concert.venue.timeZone} hasOwnTime />
      </p>
      <p className="soft">
        <bdi>{`${concert.venue.name}, ${concert.venue.city}`}</bdi>
      </p>
    </div>
  );
}
