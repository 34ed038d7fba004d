/** No place yet: what is missing, and what the person can do about it. */

import { useEffect, type ReactNode } from "react";

import { serverNow } from "../../api/serverClock";
import { Button, LinkButton } from "../../components/button";
import { Clock } from "../../components/clock";
import { DateTime } from "../../components/dateTime";
import { Notice } from "../../components/notice";
import { PageTitle } from "../../components/pageTitle";
import { Spinner } from "../../components/spinner";
import { useRefusal } from "../../messages/refusals";
import { useSession } from "../../shop/session";
import { OrganizerMessage, Tickets } from "./aside";
import type { Concert } from "./stage";
import { useT } from "./messages";
import type { Joining } from "./useJoin";
import type { Queue } from "./useQueue";

/** People who wait for the same second do not all ask in it. */
const SPREAD_MS = 2_000;

interface BeforeProps {
  queue: Queue;
  joining: Joining;
  join: () => void;
}

export function Before({ queue, joining, join }: BeforeProps): ReactNode {
  const { concert } = queue;
  if (!concert) return null;
  return (
    <div className="queue-body">
      <div className="queue-main">
        <BeforeStage queue={queue} joining={joining} join={join} concert={concert} />
      </div>
      <aside className="queue-aside">
        <OrganizerMessage text={concert.waitingRoom?.message ?? ""} />
        <Tickets concert={concert} />
      </aside>
    </div>
  );
}

function BeforeStage({ queue, joining, join, concert }: BeforeProps & { concert: Concert }): ReactNode {
  const t = useT();
  const { signIn, isLost } = useSession();
  if (queue.stage === "signedOut") {
    return (
      <Words title={isLost ? t("session.lost.title") : t("signedOut.title")} text={isLost ? t("session.lost.text") : t("signedOut.text")}>
        <Button onPress={signIn}>{isLost ? t("session.signIn") : t("signedOut.button")}</Button>
      </Words>
    );
  }
  if (queue.stage === "notOpen") return <NotOpen concert={concert} refresh={queue.refresh} />;
  if (queue.stage === "rejecting" || queue.stage === "unavailable") {
    return (
      <Words title={t(`${queue.stage}.title`)} text={t(`${queue.stage}.text`)}>
        <Button onPress={queue.refresh}>{t("tryAgain")}</Button>
      </Words>
    );
  }
  return <Joins joining={joining} join={join} concert={concert} />;
}

function NotOpen({ concert, refresh }: { concert: Concert; refresh: () => void }): ReactNode {
  const t = useT();
  const opensAt = concert.waitingRoom?.prequeueStartsAt ?? concert.waitingRoom?.opensAt;
  useEffect(() => {
    if (!opensAt) return undefined;
    const ms = Date.parse(opensAt) - serverNow() + Math.random() * SPREAD_MS;
    if (ms > 2 ** 31 - 1) return undefined; // longer than a timer can be; the page also asks every few seconds
    const timer = setTimeout(refresh, Math.max(ms, 0));
    return () => {
      clearTimeout(timer);
    };
  }, [opensAt, refresh]);
  return (
    <Words title={t("notOpen.title")} text={t("notOpen.text")}>
      {opensAt && (
        <div className="queue-turn-clock">
          <Clock until={opensAt} label={t("notOpen.clock")} />
          <DateTime value={opensAt} timeZone={concert.venue.timeZone ?? null} hasOwnTime />
        </div>
      )}
    </Words>
  );
}

function Joins({ joining, join, concert }: { joining: Joining; join: () => void; concert: Concert }): ReactNode {
  const t = useT();
  const refusal = useRefusal();
  if (joining.kind === "refused") {
    return (
      <Words title={t("refused.title")} text="">
        <Notice
          tone="warning"
          actions={
            <>
              <Button onPress={join}>{t("tryAgain")}</Button>
              <LinkButton variant="secondary" href={`/concerts/${concert.slug}`}>
                {t("toConcert")}
              </LinkButton>
            </>
          }
        >
          {refusal(joining.problem)}
        </Notice>
      </Words>
    );
  }
  return (
    <Words title={t("joining.title")} text="">
      <p className="queue-ahead" role="status">
        <Spinner /> {joining.kind === "solving" ? t("joining.solving") : t("joining.text")}
      </p>
      {joining.kind === "repeating" && <Notice tone="warning">{`${refusal(joining.problem)} ${t("joining.repeating")}`}</Notice>}
    </Words>
  );
}

function Words({ title, text, children }: { title: string; text: string; children: ReactNode }): ReactNode {
  return (
    <>
      <PageTitle>{title}</PageTitle>
      {text && <p className="queue-ahead">{text}</p>}
      {children}
    </>
  );
}
