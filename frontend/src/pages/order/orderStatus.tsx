import type { ReactNode } from "react";

import type { OrderFieldsFragment } from "../../api/generated/graphql";
import { LinkButton } from "../../components/button";
import { Clock } from "../../components/clock";
import { Notice, type Tone } from "../../components/notice";
import { shownStatus, type ShownStatus } from "./status";
import { useT } from "./text";

const TONES: Partial<Record<ShownStatus, Tone>> = {
  PENDING_PAYMENT: "warning",
  PAID: "success",
  FULFILLED: "success",
  PAYMENT_FAILED: "danger",
  EXPIRED: "warning",
  LATE_PAYMENT: "warning",
  DISPUTE_LOST: "danger",
};
/** The person has no tickets, and may want others. */
const WITHOUT_TICKETS: ReadonlySet<ShownStatus> = new Set(["PAYMENT_FAILED", "EXPIRED", "CANCELLED", "REFUNDED"]);

export interface OrderStatusProps {
  order: OrderFieldsFragment;
  /** When the time to pay is over, or null if it is not known. */
  deadline: string | null;
}

/** What the status of an order means, and what the person can do next. */
export function OrderStatus({ order, deadline }: OrderStatusProps): ReactNode {
  const t = useT();
  const status = shownStatus(order);
  return (
    <Notice tone={TONES[status] ?? "info"} title={t(`status.${status}`)} actions={<NextStep order={order} status={status} />}>
      <p>{t(`status.${status}.text`, { email: order.customerEmail, status: order.status })}</p>
      {status === "PENDING_PAYMENT" && deadline && (
        <p className="order-deadline">
          {t("checkout.deadline")}: <Clock until={deadline} label={t("checkout.deadline")} />
        </p>
      )}
    </Notice>
  );
}

function NextStep({ order, status }: { order: OrderFieldsFragment; status: ShownStatus }): ReactNode {
  const t = useT();
  const { concert } = order;
  if (status === "PENDING_PAYMENT") {
    return (
      <LinkButton href={`/orders/${order.id}/pay`} isDocument>
        {t("order.payNow")}
      </LinkButton>
    );
  }
  if (!concert) return null;
  const isAgain = WITHOUT_TICKETS.has(status) && concert.status === "PUBLISHED";
  return (
    <LinkButton href={`/concerts/${concert.slug}`} variant={isAgain ? "primary" : "secondary"}>
      {t(isAgain ? "order.chooseAgain" : "order.toConcert")}
    </LinkButton>
  );
}
