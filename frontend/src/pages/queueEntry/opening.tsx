/** The time until the queue opens, for people who are early. */

import type { ReactNode } from "react";

import { Clock } from "../../components/clock";
import { DateTime } from "../../components/dateTime";
import type { Concert, QueueEntry } from "./stage";
import { useT } from "./messages";

export function Opening({ concert, entry }: { concert: Concert; entry: QueueEntry }): ReactNode {
  const t = useT();
  const opensAt = concert.waitingRoom?.opensAt;
  if (entry.state !== "PREQUEUED" || !opensAt) return null;
  return (
    <section className="queue-estimate">
      <h2 className="queue-estimate-label">{t("opening.label")}</h2>
      <p className="queue-band">
        <Clock until={opensAt} label={t("opening.label")} />
      </p>
      <p className="queue-note">
        <DateTime value={opensAt} timeZone={concert.venue.timeZone ?? null} hasOwnTime />
      </p>
      <p className="queue-note">{t("opening.text")}</p>
    </section>
  );
}
