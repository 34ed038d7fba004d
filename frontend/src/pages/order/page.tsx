import "./page.css";

import { useEffect, useRef, type ReactNode } from "react";

import type { OrderPageQuery } from "../../api/generated/graphql";
import { useAnnounce } from "../../components/announce";
import { PageTitle } from "../../components/pageTitle";
import { Skeleton } from "../../components/skeleton";
import { Downloads } from "../tickets/downloads";
import { TicketCard } from "../tickets/ticketCard";
import { OrderProblem } from "./orderProblem";
import { OrderStatus } from "./orderStatus";
import { OrderSummary } from "./orderSummary";
import { RefundList } from "./refundList";
import { RefundTickets } from "./refundTickets";
import { shownStatus } from "./status";
import { useT } from "./text";
import { useOrder } from "./useOrder";

type Order = NonNullable<OrderPageQuery["order"]>;

/** An order: what has become of it, its tickets and its refunds. It follows every change by itself. */
export default function OrderPage({ id }: { id: string }): ReactNode {
  const t = useT();
  const { order, error, fetching, refetch } = useOrder(id);
  if (order) return <OrderShown order={order} />;
  return (
    <div className="page order-page">
      <PageTitle>{t("order.pageTitle")}</PageTitle>
      {fetching ? <Skeleton lines={8} hasTitle={false} /> : <OrderProblem error={error} onRetry={refetch} />}
    </div>
  );
}

function OrderShown({ order }: { order: Order }): ReactNode {
  const t = useT();
  useChangesAnnounced(order);
  const { tickets, concert } = order;
  const isHolder = tickets.some(({ code }) => code);
  return (
    <div className="page order-page">
      <PageTitle documentTitle={t("order.title", { number: order.number })}>{concert?.name ?? t("order.pageTitle")}</PageTitle>
      <OrderStatus order={order} deadline={order.hold?.expiresAt ?? null} />
      <div className={tickets.length + order.refunds.length > 0 ? "order" : "order order-bare"}>
        <div className="order-main">
          {tickets.length > 0 && (
            <section aria-labelledby="order-tickets">
              <div className="order-heading">
                <h2 id="order-tickets">{t("order.tickets", { count: tickets.length })}</h2>
                {isHolder && <Downloads id={order.id} isOrder />}
              </div>
              <ul role="list" className="ticket-list">
                {tickets.map((ticket, index) => (
                  <li key={ticket.id}>
                    <TicketCard
                      ticket={ticket}
                      timeZone={concert?.venue.timeZone ?? null}
                      index={index + 1}
                      count={tickets.length}
                    />
                  </li>
                ))}
              </ul>
            </section>
          )}
          <Refunds order={order} />
        </div>
        <OrderSummary order={order} />
      </div>
    </div>
  );
}

function Refunds({ order }: { order: Order }): ReactNode {
  const t = useT();
  const hasRefunds = order.refunds.length > 0;
  return (
    <section className="order-refunds" aria-labelledby={hasRefunds ? "order-refunds" : undefined}>
      {hasRefunds && <h2 id="order-refunds">{t("refund.heading")}</h2>}
      {hasRefunds && <RefundList order={order} />}
      <RefundTickets order={order} />
    </section>
  );
}

/** Says it if the order changes while the page is open, for example by a refund. */
function useChangesAnnounced(order: Order): void {
  const t = useT();
  const announce = useAnnounce();
  const status = shownStatus(order);
  const state = [status, ...order.refunds.map((refund) => refund.state)].join();
  const known = useRef(state);
  useEffect(() => {
    if (known.current === state) return;
    known.current = state;
    announce(t("order.announced", { status: t(`status.${status}`) }));
  });
}
