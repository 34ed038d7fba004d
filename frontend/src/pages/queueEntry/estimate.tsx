/** The band of the estimated wait, in words, and what the words mean. */

import type { ReactNode } from "react";

import { useFormat } from "../../messages/format";
import type { QueueEntry } from "./stage";
import { useT, type Translate } from "./messages";
import type { Queue } from "./useQueue";
import { bandOf, type WaitEstimate } from "./waitBand";

export function Estimate({ queue }: { queue: Queue }): ReactNode {
  const t = useT();
  const { number } = useFormat();
  const entry = queue.concert?.myQueueEntry;
  const estimate = entry?.estimatedWait;
  return (
    <section className="queue-estimate" aria-labelledby="queue-estimate">
      <h2 className="queue-estimate-label" id="queue-estimate">
        {t("estimate.label")}
      </h2>
      {estimate ? (
        <>
          <p className="queue-band">{bandWords(estimate, t, number)}</p>
          <details className="queue-details">
            <summary>{t("estimate.how")}</summary>
            <p>{t("estimate.meaning", { half: wordsOf(estimate.p50Seconds, t), most: wordsOf(estimate.p90Seconds, t) })}</p>
          </details>
        </>
      ) : (
        <p className="queue-note">{t(reasonWithout(queue, entry))}</p>
      )}
    </section>
  );
}

function bandWords(estimate: WaitEstimate, t: Translate, number: (value: number) => string): string {
  const { unit, from, to } = bandOf(estimate);
  if (unit === "soon") return t("estimate.soon");
  if (unit === "hours") return t("estimate.hours", { from: number(from), to });
  return from === to ? t("estimate.about", { count: to }) : t("estimate.minutes", { from: number(from), to });
}

function wordsOf(seconds: number, t: Translate): string {
  const minutes = Math.ceil(seconds / 60);
  return minutes <= 1 ? t("estimate.aMinute") : t("minutes", { count: minutes });
}

function reasonWithout(queue: Queue, entry: QueueEntry | null | undefined): "estimate.paused" | "estimate.random" | "estimate.unknown" {
  const status = queue.live?.roomStatus ?? queue.concert?.waitingRoom?.status;
  if (status === "PAUSED" || status === "REJECTING") return "estimate.paused";
  return entry?.number === null ? "estimate.random" : "estimate.unknown";
}
