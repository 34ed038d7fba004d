/** Choosing tickets, holding them, and turning the hold into an order. */

import "./page.css";

import { useEffect, useState, type ReactNode } from "react";

import { Button, LinkButton } from "../../components/button";
import { ConcertLink } from "../../components/concertLink";
import { Notice } from "../../components/notice";
import { PageTitle } from "../../components/pageTitle";
import { Skeleton } from "../../components/skeleton";
import { useRefusal } from "../../messages/refusals";
import { Buying } from "./buying";
import { Choosing } from "./choosing";
import { Held } from "./held";
import { useT } from "./messages";
import { OtherHolds } from "./otherHolds";
import { Stopped } from "./stopped";
import { useHoldPage, type HoldPage } from "./useHoldPage";

export default function HoldTicketsPage({ slug }: { slug: string }): ReactNode {
  const page = useHoldPage(slug);
  if (!page.concert) return <Nothing page={page} />;
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

function Nothing({ page }: { page: HoldPage }): ReactNode {
  const t = useT();
  const refusal = useRefusal();
  if (page.isLoading) {
    return (
      <div className="page hold">
        <Skeleton lines={8} />
      </div>
    );
  }
  const { problem } = page;
  return (
    <div className="page hold">
      <PageTitle>{problem ? t("failed.title") : t("missing.title")}</PageTitle>
      <Notice
        tone={problem ? "warning" : "info"}
        actions={
          <>
            {problem && <Button onPress={page.refresh}>{t("tryAgain")}</Button>}
            <LinkButton href="/" variant="secondary">
              {t("toConcerts")}
            </LinkButton>
          </>
        }
      >
        {problem ? refusal(problem) : t("missing.text")}
      </Notice>
    </div>
  );
}
