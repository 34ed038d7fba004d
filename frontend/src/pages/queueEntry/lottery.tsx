/** The draw before an opening: what happens, and how each person can check it. */

import { useState, type ReactNode } from "react";
import { useQuery } from "urql";

import { Button } from "../../components/button";
import { Clock } from "../../components/clock";
import { DateTime } from "../../components/dateTime";
import { LOTTERY_PROOF } from "./operations";
import type { Concert, QueueEntry } from "./stage";
import { useT } from "./messages";

export function Lottery({ concert, entry }: { concert: Concert; entry: QueueEntry }): ReactNode {
  const t = useT();
  const opensAt = concert.waitingRoom?.opensAt;
  const lottery = concert.waitingRoom?.lottery;
  const isBefore = entry.state === "PREQUEUED";
  return (
    <section className="queue-estimate">
      <h2 className="queue-estimate-label">{isBefore ? t("lottery.label") : t("lottery.drawn")}</h2>
      {isBefore && opensAt && (
        <>
          <p className="queue-band">
            <Clock until={opensAt} label={t("opening.label")} />
          </p>
          <p className="queue-note">
            <DateTime value={opensAt} timeZone={concert.venue.timeZone ?? null} hasOwnTime />
          </p>
          <p className="queue-note">{t("lottery.text")}</p>
        </>
      )}
      {lottery && (
        <details className="queue-details">
          <summary>{t("lottery.how")}</summary>
          <p>{t("lottery.fair")}</p>
          <dl className="queue-proof">
            <dt>{t("lottery.commitment")}</dt>
            <dd dir="ltr">{lottery.commitment}</dd>
          </dl>
          {!isBefore && <Proof concertId={concert.id} />}
        </details>
      )}
    </section>
  );
}

function Proof({ concertId }: { concertId: string }): ReactNode {
  const t = useT();
  const [isWanted, setWanted] = useState(false);
  const [{ data, fetching }] = useQuery({ query: LOTTERY_PROOF, variables: { concertId }, pause: !isWanted });
  const proof = data?.queueEntry?.lotteryProof;
  if (!proof) {
    return (
      <>
        {data && !fetching && <p>{t("lottery.noProof")}</p>}
        <Button variant="secondary" isPending={fetching} onPress={() => setWanted(true)}>
          {t("lottery.showProof")}
        </Button>
      </>
    );
  }
  const rows = [
    [t("lottery.yourLot"), proof.lot],
    [t("lottery.yourNumber"), proof.number],
    [t("lottery.registrations"), proof.registrations],
    [t("lottery.digest"), proof.digest],
    [t("lottery.secret"), proof.secret],
    [t("lottery.seed"), proof.seed],
  ] as const;
  return (
    <dl className="queue-proof">
      {rows.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd dir="ltr">{value}</dd>
        </div>
      ))}
    </dl>
  );
}
