import "./page.css";

import type { ReactNode } from "react";

import { Button } from "../../components/button";
import { Notice } from "../../components/notice";
import { PageTitle } from "../../components/pageTitle";
import { Skeleton } from "../../components/skeleton";
import { useSession } from "../../shop/session";
import { MyOrders } from "./myOrders";
import { MyTickets } from "./myTickets";
import { useT } from "./text";

/** The tickets that the viewer holds, and the viewer's orders. */
export default function TicketsPage(): ReactNode {
  const t = useT();
  const { session, isKnown, signIn } = useSession();
  return (
    <div className="page tickets-page">
      <PageTitle>{t("tickets.title")}</PageTitle>
      {!isKnown && <Skeleton lines={6} />}
      {isKnown && !session && (
        <Notice title={t("tickets.signIn")} actions={<Button onPress={signIn}>{t("tickets.signInButton")}</Button>}>
          {t("tickets.signInText")}
        </Notice>
      )}
      {session && <MyTickets />}
      {session && (
        <section className="orders" aria-labelledby="my-orders">
          <h2 id="my-orders">{t("orders.heading")}</h2>
          <MyOrders />
        </section>
      )}
    </div>
  );
}
