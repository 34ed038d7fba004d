import "./page.css";

import { useEffect, useRef, useState, type ReactNode } from "react";
import { useLocation } from "wouter";

import { useSecondsUntil } from "../../api/serverClock";
import type { CheckoutPageQuery } from "../../api/generated/graphql";
import { useAnnounce } from "../../components/announce";
import { LinkButton } from "../../components/button";
import { Clock } from "../../components/clock";
import { Notice } from "../../components/notice";
import { PageTitle } from "../../components/pageTitle";
import { Skeleton } from "../../components/skeleton";
import { Spinner } from "../../components/spinner";
import { CancelOrder } from "./cancelOrder";
import { OrderProblem } from "./orderProblem";
import { OrderSummary } from "./orderSummary";
import { PaymentForm } from "./paymentForm";
import { shownStatus } from "./status";
import { useT } from "./text";
import { useSyncPayment, useUnpaidOrder } from "./useOrder";

type Order = NonNullable<CheckoutPageQuery["order"]>;

/** The page on which an order is paid. As soon as the order is no longer unpaid, its page follows. */
export default function CheckoutPage({ id }: { id: string }): ReactNode {
  const t = useT();
  const { order, error, fetching, refetch } = useUnpaidOrder(id);
  const status = order && shownStatus(order);
  useMoveOn(id, status);
  const isUnpaid = status === "PENDING_PAYMENT";
  return (
    <div className="page checkout-page">
      <PageTitle>{t("checkout.title")}</PageTitle>
      {!order && !fetching && <OrderProblem error={error} onRetry={refetch} />}
      {order && isUnpaid ? <Checkout order={order} /> : fetching && <Skeleton lines={6} />}
    </div>
  );
}

/** Replaces the checkout by the order's page, so that the back button does not return to a form. */
function useMoveOn(id: string, status: ReturnType<typeof shownStatus> | undefined | null): void {
  const t = useT();
  const announce = useAnnounce();
  const [, navigate] = useLocation();
  useEffect(() => {
    if (!status || status === "PENDING_PAYMENT") return;
    announce(t(`status.${status}`), "assertive");
    navigate(`/orders/${encodeURIComponent(id)}`, { replace: true });
  }, [id, status]);
}

function Checkout({ order }: { order: Order }): ReactNode {
  const t = useT();
  const { payment, hold, concert } = order;
  const deadline = payment?.deadline ?? hold?.expiresAt ?? null;
  const seconds = useSecondsUntil(deadline);
  const sync = useSyncPayment(order.id);
  const [isBusy, setIsBusy] = useState(false);
  useMinutesAnnounced(seconds);
  useSyncWhenOnline(sync);
  const isOver = seconds === 0;
  return (
    <>
      {deadline && !isOver && (
        <div className="checkout-clock">
          <p>
            <span className="checkout-clock-label">{t("checkout.deadline")}</span> {t("checkout.reserved")}
          </p>
          <Clock until={deadline} label={t("checkout.deadline")} />
        </div>
      )}
      <div className="checkout">
        <div className="checkout-payment">
          {isOver && <TimeIsOver onSync={sync} />}
          {!isOver && !payment && <ProviderIsSlow />}
          {!isOver && payment && (
            <PaymentForm payment={payment} total={order.total} onSent={sync} onBusy={setIsBusy} />
          )}
          <div className="checkout-leave">
            <CancelOrder orderId={order.id} isDisabled={isBusy} />
            {concert && (
              <LinkButton href={`/concerts/${concert.slug}`} variant="quiet">
                {t("checkout.back")}
              </LinkButton>
            )}
          </div>
        </div>
        <OrderSummary order={order} />
      </div>
    </>
  );
}

function ProviderIsSlow(): ReactNode {
  const t = useT();
  return (
    <div role="status">
      <Notice
        title={
          <>
            <Spinner /> {t("checkout.waiting")}
          </>
        }
      >
        {t("checkout.waitingText")}
      </Notice>
    </div>
  );
}

function TimeIsOver({ onSync }: { onSync(): void }): ReactNode {
  const t = useT();
  useEffect(onSync, []);
  return (
    <div role="alert">
      <Notice tone="warning" title={t("checkout.over")}>
        {t("checkout.overText")}
      </Notice>
    </div>
  );
}

const ANNOUNCED_MINUTES = [5, 1];

/** Says when few minutes are left. The clock itself is not read out. */
function useMinutesAnnounced(seconds: number | null): void {
  const t = useT();
  const announce = useAnnounce();
  const last = useRef(Number.POSITIVE_INFINITY);
  useEffect(() => {
    if (seconds === null) return;
    const before = last.current;
    last.current = seconds;
    const minutes = ANNOUNCED_MINUTES.find((count) => seconds <= count * 60 && before > count * 60);
    if (minutes && Number.isFinite(before)) announce(t("checkout.minutesLeft", { count: minutes }));
  });
}

/** A payment may have been made just before the connection was lost. */
function useSyncWhenOnline(sync: () => void): void {
  const latest = useRef(sync);
  latest.current = sync;
  useEffect(() => {
    const onOnline = (): void => latest.current();
    addEventListener("online", onOnline);
    return () => removeEventListener("online", onOnline);
  }, []);
}
