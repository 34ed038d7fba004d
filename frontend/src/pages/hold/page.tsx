/** Choosing tickets, holding them, and turning the hold into an order. */

import "./page.css";

import { useEffect, useState, type ReactNode } from "react";

import { ConcertLink } from "../../components/concertLink";
import { NoConcert } from "../../components/noConcert";
import { Buying } from "./buying";
import { Choosing } from "./choosing";
import { Held } from "./held";
import { useT } from "./messages";
import { OtherHolds } from "./otherHolds";
import { Stopped } from "./stopped";
import { useHoldPage, type HoldPage } from "./useHoldPage";

export default function HoldTicketsPage({ slug }: { slug: string }): ReactNode {
  const t = useT();
  const page = useHoldPage(slug);
  if (!page.concert) {
    const { isLoading, problem, refresh } = page;
    return <NoConcert className="hold" {...{ isLoading, problem }} failedTitle={t("failed.title")} onRetry={refresh} />;
  }
  return (
    <div className="page hold">
      <ConcertLink concert={page.concert} />
      <OtherHolds page={page} concert={page.concert} />
      <StageOf page={page} concert={page.concert} />
    </div>
  );
}

type Concert = NonNullable<HoldPage["concert"]>;

function StageOf({ page, concert }: { page: HoldPage; concert: Concert }): ReactNode {
  const [isChanging, setChanging] = useState(false);
  const { stage } = page;
  useEffect(() => {
    if (stage !== "held") setChanging(false);
  }, [stage]);
  if (stage === "buying" && concert.myHold) {
    return <Buying concert={concert} hold={concert.myHold} onRefused={page.refresh} />;
  }
  if (stage === "held" && concert.myHold && !isChanging) {
    return <Held concert={concert} hold={concert.myHold} onChange={() => setChanging(true)} onEnd={page.refresh} />;
  }
  if (stage === "held" || stage === "choosing") {
    return <Choosing concert={concert} onDone={() => setChanging(false)} onRefused={page.refresh} />;
  }
  return <Stopped page={page} concert={concert} />;
}
