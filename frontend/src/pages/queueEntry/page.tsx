/** The waiting room of a concert, from the first click to the call. */

import "./page.css";

import { useEffect, useRef, type ReactNode } from "react";

import { ConcertLink } from "../../components/concertLink";
import { NoConcert } from "../../components/noConcert";
import { Before } from "./before";
import { Closed } from "./closed";
import { Ended } from "./ended";
import type { Stage } from "./stage";
import { useT } from "./messages";
import { Turn } from "./turn";
import { useJoin, type Joining } from "./useJoin";
import { useQueue, type Queue } from "./useQueue";
import { Waiting } from "./waiting";

/** People who are pushed the opening in the same second do not all join in it. */
const SPREAD_MS = 2_000;

export default function QueueEntryPage({ slug }: { slug: string }): ReactNode {
  const t = useT();
  const queue = useQueue(slug);
  const { joining, join } = useJoin(queue.concert?.id, queue.refresh);
  const isWanted = queue.stage === "joining" && joining.kind === "idle";
  const hasWaited = useHasWaited(queue.stage);
  useEffect(() => {
    // Opening this page asks for a place. After an end, only a button does.
    if (!isWanted) return undefined;
    if (!hasWaited) return join();
    const timer = setTimeout(join, Math.random() * SPREAD_MS);
    return () => {
      clearTimeout(timer);
    };
  }, [isWanted, hasWaited, join]);
  if (!queue.concert) {
    const { isLoading, problem, refresh } = queue;
    return <NoConcert className="queue" {...{ isLoading, problem }} failedTitle={t("failed.title")} onRetry={refresh} />;
  }
  return (
    <div className="page queue">
      <ConcertLink concert={queue.concert} />
      <StageOf queue={queue} joining={joining} join={join} />
    </div>
  );
}

/** Whether the page has waited until people may join. */
function useHasWaited(stage: Stage | null): boolean {
  const hasWaited = useRef(false);
  if (stage === "notOpen" || stage === "rejecting") hasWaited.current = true;
  return hasWaited.current;
}

interface StageProps {
  queue: Queue;
  joining: Joining;
  join: () => void;
}

const WAITING: ReadonlySet<Stage | null> = new Set<Stage>(["prequeued", "waiting"]);
const TURN: ReadonlySet<Stage | null> = new Set<Stage>(["ready", "admitted"]);
const BEFORE: ReadonlySet<Stage | null> = new Set<Stage>(["signedOut", "notOpen", "rejecting", "joining", "unavailable"]);

function StageOf({ queue, joining, join }: StageProps): ReactNode {
  if (WAITING.has(queue.stage)) return <Waiting queue={queue} />;
  if (TURN.has(queue.stage)) return <Turn queue={queue} />;
  if (queue.stage === "ended") return <Ended queue={queue} joining={joining} join={join} />;
  if (BEFORE.has(queue.stage)) return <Before queue={queue} joining={joining} join={join} />;
  return <Closed queue={queue} />;
}
