/** A place in the queue: the position, the wait, and what happens next. */

import { useEffect, useState, type ReactNode } from "react";

import { Notice } from "../../components/notice";
import { PageTitle } from "../../components/pageTitle";
import { ProgressBar } from "../../components/progressBar";
import { useFormat } from "../../messages/format";
import { Aside } from "./aside";
import { useQueueAnnouncements } from "./announcements";
import { Estimate } from "./estimate";
import { Leave } from "./leave";
import { Lottery } from "./lottery";
import { Opening } from "./opening";
import { SoundSwitch } from "./soundSwitch";
import type { QueueEntry } from "./stage";
import { useT } from "./messages";
import type { Queue } from "./useQueue";

export function Waiting({ queue }: { queue: Queue }): ReactNode {
  const t = useT();
  const format = useFormat();
  const { concert, live } = queue;
  const entry = concert?.myQueueEntry;
  useQueueAnnouncements(queue);
  if (!concert || !entry) return null;
  const isLottery = entry.state === "PREQUEUED" && concert.waitingRoom?.shuffleAtStart === true;
  const { position } = entry;
  const isKnown = position !== null && position !== undefined && !isLottery;
  const documentTitle = isKnown
    ? t("waiting.documentTitle", { position: format.number(position), name: concert.name })
    : t("waiting.documentTitleWithout", { name: concert.name });
  return (
    <div className="queue-body">
      <div className="queue-main">
        <div>
          <p className="queue-label" id="queue-label">
            {isKnown ? t("waiting.label") : t("waiting.labelWithout")}
          </p>
          {/* The heading names the page; the number below it is the largest thing on it. */}
          <PageTitle documentTitle={documentTitle} isHidden>
            {t("waiting.title", { name: concert.name })}
          </PageTitle>
          <Place entry={entry} isLottery={isLottery} />
        </div>
        <StatusNotice queue={queue} />
        {isLottery ? <Lottery concert={concert} entry={entry} /> : <Opening concert={concert} entry={entry} />}
        {!isLottery && entry.state === "WAITING" && <Estimate queue={queue} />}
        {isKnown && entry.state === "WAITING" && <Progress entry={entry} position={position} />}
        {live?.stockAhead === "SOLD_OUT" && (
          <Notice tone="warning" title={t("soldOutAhead.title")}>
            {t("soldOutAhead.text")}
          </Notice>
        )}
        <p className="queue-note">{t("waiting.safe")}</p>
        <div className="queue-controls">
          <SoundSwitch />
          <Leave concertId={concert.id} onLeft={queue.refresh} />
        </div>
        {entry.state === "WAITING" && concert.waitingRoom?.shuffleAtStart && <Lottery concert={concert} entry={entry} />}
      </div>
      <Aside queue={queue} />
    </div>
  );
}

function Place({ entry, isLottery }: { entry: QueueEntry; isLottery: boolean }): ReactNode {
  const t = useT();
  const { number } = useFormat();
  if (isLottery) {
    return (
      <>
        <p className="queue-words">{t("lottery.registered")}</p>
        {entry.lot !== null && entry.lot !== undefined && (
          <p className="queue-ahead">{t("lottery.lot", { lot: number(entry.lot) })}</p>
        )}
      </>
    );
  }
  if (entry.position === null || entry.position === undefined) {
    return (
      <>
        <p className="queue-words">{t("random.title")}</p>
        <p className="queue-ahead">{t("random.text")}</p>
      </>
    );
  }
  return (
    <>
      <p className="queue-position" data-digits={String(entry.position).length} data-position={entry.position}>
        {number(entry.position)}
      </p>
      <p className="queue-ahead">{t("waiting.ahead", { count: Math.max(entry.position - 1, 0) })}</p>
    </>
  );
}

/** How far the person has come since this browser first saw the place. */
function Progress({ entry, position }: { entry: QueueEntry; position: number }): ReactNode {
  const t = useT();
  const [first, setFirst] = useState(position);
  useEffect(() => {
    const key = `onsale.queue-start.${entry.id}.${String(entry.number)}.${String(entry.round)}`;
    const known = Number(sessionStorage.getItem(key)) || 0;
    const start = Math.max(known, position);
    sessionStorage.setItem(key, String(start));
    setFirst(start);
  }, [entry.id, entry.number, entry.round, position]);
  // A person who came as the first has no way to go.
  if (first <= 1) return null;
  const done = (first - position) / (first - 1);
  return <ProgressBar label={t("progress.label")} value={Math.min(Math.max(done, 0), 1)} valueText={t("progress.value", { count: first - position })} />;
}

function StatusNotice({ queue }: { queue: Queue }): ReactNode {
  const t = useT();
  const status = queue.live?.roomStatus ?? queue.concert?.waitingRoom?.status;
  if (status === "PAUSED") {
    return (
      <Notice tone="warning" title={t("paused.title")}>
        {t("paused.text")}
      </Notice>
    );
  }
  if (status === "REJECTING") {
    return (
      <Notice tone="warning" title={t("stopped.title")}>
        {t("stopped.text")}
      </Notice>
    );
  }
  return null;
}
