/** Which page each address has. Pages other than the first two are loaded when they are opened. */

import { lazy, Suspense, type ReactNode } from "react";
import { Route, Switch } from "wouter";

import { Skeleton } from "../components/skeleton";
import ConcertPage from "../pages/concert/page";
import ConcertsPage from "../pages/concerts/page";
import { NotFound } from "./notFound";

const QueueEntryPage = lazy(() => import("../pages/queueEntry/page"));
const HoldPage = lazy(() => import("../pages/hold/page"));
const OrderPage = lazy(() => import("../pages/order/page"));
const CheckoutPage = lazy(() => import("../pages/order/checkout"));
const TicketsPage = lazy(() => import("../pages/tickets/page"));
const TicketTransferPage = lazy(() => import("../pages/ticketTransfer/page"));

export function Routes(): ReactNode {
  return (
    <Suspense fallback={<Loading />}>
      <Switch>
        <Route path="/">
          <ConcertsPage />
        </Route>
        <Route path="/concerts/:slug">{({ slug }) => <ConcertPage key={slug} slug={slug} />}</Route>
        <Route path="/concerts/:slug/queue">{({ slug }) => <QueueEntryPage key={slug} slug={slug} />}</Route>
        <Route path="/concerts/:slug/tickets">{({ slug }) => <HoldPage key={slug} slug={slug} />}</Route>
        <Route path="/orders/:id/pay">{({ id }) => <CheckoutPage key={id} id={id} />}</Route>
        <Route path="/orders/:id">{({ id }) => <OrderPage key={id} id={id} />}</Route>
        <Route path="/tickets">
          <TicketsPage />
        </Route>
        <Route path="/tickets/accept">
          <TicketTransferPage />
        </Route>
        <Route>
          <NotFound />
        </Route>
      </Switch>
    </Suspense>
  );
}

function Loading(): ReactNode {
  return (
    <div className="page">
      <Skeleton lines={6} />
    </div>
  );
}
