import { useState, type ReactNode } from "react";
import { useQuery } from "urql";
import { Link } from "wouter";

import type { MyOrdersQuery } from "../../api/generated/graphql";
import { Button } from "../../components/button";
import { Skeleton } from "../../components/skeleton";
import { useFormat } from "../../messages/format";
import { shownStatus } from "../order/status";
import { MyOrders as Query } from "./operations";
import { useT } from "./text";

type Order = NonNullable<NonNullable<MyOrdersQuery["me"]>["orders"]>["nodes"][number];

/** One page of the viewer's orders, and the following pages when they are wanted. */
export function MyOrders({ after = null }: { after?: string | null }): ReactNode {
  const t = useT();
  const [{ data, fetching }] = useQuery({ query: Query, variables: { after }, requestPolicy: "cache-and-network" });
  const [hasMore, setHasMore] = useState(false);
  const orders = data?.me?.orders;
  if (!orders) return fetching ? <Skeleton lines={4} hasTitle={false} /> : <p>{t("orders.failed")}</p>;
  if (orders.nodes.length === 0 && !after) return <p className="soft">{t("orders.none")}</p>;
  const { hasNextPage, endCursor } = orders.pageInfo;
  return (
    <>
      <ul role="list" className="my-orders">
        {orders.nodes.map((order) => (
          <OrderRow key={order.id} order={order} />
        ))}
      </ul>
      {hasMore && <MyOrders after={endCursor} />}
      {hasNextPage && !hasMore && (
        <p>
          <Button variant="secondary" onPress={() => setHasMore(true)}>
            {t("orders.older")}
          </Button>
        </p>
      )}
    </>
  );
}

function OrderRow({ order }: { order: Order }): ReactNode {
  const t = useT();
  const format = useFormat();
  const count = order.lines.reduce((sum, { quantity }) => sum + quantity, 0);
  const total = format.money(order.total.amount, order.total.currency);
  return (
    <li className="my-order">
      <div>
        <p className="my-order-name">
          <Link href={`/orders/${order.id}`}>
            <bdi>{order.concert?.name ?? t("orders.open", { number: order.number })}</bdi>
          </Link>
        </p>
        <p className="soft">
          {t("orders.open", { number: order.number })} ·{" "}
          {t("orders.date", { date: format.dateTime(order.createdAt, null, "shortDate") })}
        </p>
      </div>
      <p className="tabular">{t("orders.row", { count, total })}</p>
      <p className="my-order-status">{t(`orders.status.${shownStatus(order)}`)}</p>
    </li>
  );
}
