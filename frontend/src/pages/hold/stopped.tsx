/** A concert whose tickets this person cannot choose now: why, and what to do. */

import type { ReactNode } from "react";

import { Button, LinkButton } from "../../components/button";
import { Clock } from "../../components/clock";
import { DateTime } from "../../components/dateTime";
import { PageTitle } from "../../components/pageTitle";
import { EndOfHold } from "./endOfHold";
import { useT } from "./messages";
import type { Concert } from "./stage";
import type { HoldPage } from "./useHoldPage";

export function Stopped({ page, concert }: { page: HoldPage; concert: Concert }): ReactNode {
  const t = useT();
  const key = keyOf(page, concert);
  return (
    <div className="hold-end">
      <PageTitle>{t(`${key}.title`)}</PageTitle>
      <EndOfHold hold={concert.myHold} />
      <p className="lead">{t(`${key}.text`)}</p>
      {page.stage === "notOpen" && (
        <p className="hold-clock">
          <Clock until={concert.salesStartAt} label={t("notOpen.clock")} />
          <DateTime value={concert.salesStartAt} timeZone={concert.venue.timeZone ?? null} hasOwnTime />
        </p>
      )}
      <div className="hold-actions">
        <NextStep page={page} concert={concert} />
      </div>
    </div>
  );
}

type Key = "canceled" | "notPublished" | "notOpen" | "saleOver" | "unavailable" | "noPass" | "passOver" | "notCalled";

function keyOf({ stage }: HoldPage, concert: Concert): Key {
  if (stage !== "noPass") return stage === "choosing" || stage === "held" || stage === "buying" || !stage ? "unavailable" : stage;
  const entry = concert.myQueueEntry;
  if (entry?.state === "WAITING" || entry?.state === "PREQUEUED" || entry?.state === "READY") return "notCalled";
  return entry?.endReason === "SESSION_OVER" || entry?.state === "ADMITTED" ? "passOver" : "noPass";
}

function NextStep({ page, concert }: { page: HoldPage; concert: Concert }): ReactNode {
  const t = useT();
  const toConcert = (
    <LinkButton variant="secondary" href={`/concerts/${concert.slug}`}>
      {t("toConcert")}
    </LinkButton>
  );
  if (page.stage === "noPass") {
    return (
      <>
        <LinkButton href={`/concerts/${concert.slug}/queue`}>{t("toQueue")}</LinkButton>
        {toConcert}
      </>
    );
  }
  if (page.stage === "unavailable") {
    return (
      <>
        <Button onPress={page.refresh}>{t("tryAgain")}</Button>
        {toConcert}
      </>
    );
  }
  return (
    <>
      <LinkButton href="/">{t("notFound.action")}</LinkButton>
      <LinkButton variant="secondary" href="/tickets">
        {t("toTickets")}
      </LinkButton>
    </>
  );
}
