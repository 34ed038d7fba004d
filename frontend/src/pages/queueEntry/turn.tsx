/** The call: a clear page, one clock and one button. */

import { useEffect, useRef, useState, type ReactNode } from "react";
import { useMutation } from "urql";
import { useLocation } from "wouter";

import { outcomeOf, type Problem } from "../../api/outcome";
import { useAnnounce } from "../../components/announce";
import { Button } from "../../components/button";
import { Clock } from "../../components/clock";
import { Notice } from "../../components/notice";
import { PageTitle } from "../../components/pageTitle";
import { useRefusal } from "../../messages/refusals";
import { OrganizerMessage, Tickets } from "./aside";
import { playChime } from "./chime";
import { Leave } from "./leave";
import { CLAIM_QUEUE_PASS } from "./operations";
import { SoundSwitch } from "./soundSwitch";
import { useT } from "./messages";
import type { Queue } from "./useQueue";

const CHIMES = 3;

export function Turn({ queue }: { queue: Queue }): ReactNode {
  const t = useT();
  const { concert, stage } = queue;
  const isReady = stage === "ready";
  useCall(isReady, concert?.name ?? "");
  if (!concert) return null;
  const until = concert.myQueueEntry?.expiresAt;
  return (
    <div className="queue-body">
      <div className="queue-main">
        <section className="queue-turn">
          <PageTitle documentTitle={t("turn.documentTitle", { name: concert.name })}>
            {isReady ? t("turn.title") : t("admitted.title")}
          </PageTitle>
          <p>{isReady ? t("turn.text") : t("admitted.text")}</p>
          {until && (
            <p className="queue-turn-clock">
              <span>{isReady ? t("turn.clock") : t("admitted.clock")}</span>
              <Clock until={until} label={isReady ? t("turn.clock") : t("admitted.clock")} />
            </p>
          )}
          <Enter queue={queue} />
        </section>
        {concert.stock?.soldOut && (
          <Notice tone="warning" title={t("turn.soldOut.title")}>
            {t("turn.soldOut.text")}
          </Notice>
        )}
        <div className="queue-controls">
          {isReady && <SoundSwitch />}
          <Leave concertId={concert.id} onLeft={queue.refresh} />
        </div>
      </div>
      <aside className="queue-aside">
        <OrganizerMessage text={queue.live?.message ?? ""} />
        <Tickets concert={concert} />
      </aside>
    </div>
  );
}

/** Claims the pass and goes on. Claiming again returns the same pass, so a second click is harmless. */
function Enter({ queue }: { queue: Queue }): ReactNode {
  const t = useT();
  const refusal = useRefusal();
  const announce = useAnnounce();
  const [, navigate] = useLocation();
  const [problem, setProblem] = useState<Problem | null>(null);
  const [{ fetching }, claim] = useMutation(CLAIM_QUEUE_PASS);
  const { concert } = queue;

  async function enter(): Promise<void> {
    if (!concert || fetching) return;
    setProblem(null);
    const result = await claim({ concertId: concert.id });
    const outcome = outcomeOf(result, result.data?.claimQueuePass);
    if (outcome.success) {
      navigate(`/concerts/${concert.slug}/tickets`);
      return;
    }
    setProblem(outcome.problem);
    announce(refusal(outcome.problem), "assertive");
    queue.refresh(); // if the call is over, the page says so
  }

  return (
    <>
      <Button isWide isPending={fetching} onPress={() => void enter()}>
        {t("turn.button")}
      </Button>
      {problem && <Notice tone="danger">{refusal(problem)}</Notice>}
    </>
  );
}

/** Says the call aloud once, whatever the person is doing on the page. */
function useCall(isReady: boolean, name: string): void {
  const t = useT();
  const announce = useAnnounce();
  const words = `${t("turn.title")} ${t("turn.announce", { name })}`;
  const isTold = useRef(false);
  useEffect(() => {
    if (!isReady || isTold.current) return;
    isTold.current = true;
    announce(words, "assertive");
    playChime(CHIMES);
  }, [isReady, words, announce]);
}
