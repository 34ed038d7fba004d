import type { ReactNode } from "react";

import type { OrderFieldsFragment } from "../../api/generated/graphql";
import { useFormat } from "../../messages/format";
import { useT } from "./text";

type Refund = OrderFieldsFragment["refunds"][number];

const REASONS = [
  "REQUESTED",
  "CONCERT_CANCELLED",
  "HOLD_EXPIRED",
  "ORDER_CANCELLED",
  "DISPUTE_LOST",
  "SECOND_PAYMENT",
  "MISMATCH",
] as const;

/** The refunds of an order, oldest first, with their states. */
export function RefundList({ order }: { order: OrderFieldsFragment }): ReactNode {
  return (
    <ul role="list" className="refunds">
      {order.refunds.map((refund, index) => (
        <RefundRow key={index} refund={refund} />
      ))}
    </ul>
  );
}

function RefundRow({ refund }: { refund: Refund }): ReactNode {
  const t = useT();
  const format = useFormat();
  const amount = format.money(refund.amount.amount, refund.amount.currency);
  const date = format.dateTime(refund.requestedAt, null, "dateTime");
  const reason = REASONS.find((known) => known === refund.reason);
  const lines = refund.lines.map(({ quantity, tier }) =>
    t("summary.line", { quantity: format.number(quantity), tier: tier?.name ?? t("summary.tier") }),
  );
  return (
    <li className="refund">
      <div>
        <p className="refund-amount">{t("refund.row", { amount, date })}</p>
        <p className="soft">
          {lines.length > 0 ? format.list(lines) : t("refund.noTickets")}
          {reason && ` · ${t(`refund.reason.${reason}`)}`}
        </p>
      </div>
      <RefundState state={refund.state} />
    </li>
  );
}

function RefundState({ state }: { state: string }): ReactNode {
  const t = useT();
  switch (state) {
    case "PENDING":
      return <span className="badge badge-few">{t("refund.PENDING")}</span>;
    case "SUCCEEDED":
      return <span className="badge badge-plenty">{t("refund.SUCCEEDED")}</span>;
    default:
      return <span className="badge badge-off">{t("refund.unknownState", { state })}</span>;
  }
}
