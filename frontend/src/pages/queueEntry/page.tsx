/** The waiting room of a concert, from the first click to the call. */

import "./page.css";

import { useEffect, type ReactNode } from "react";

import { Button, LinkButton } from "../../components/button";
import { ConcertLink } from "../../components/concertLink";
import { Notice } from "../../components/notice";
import { PageTitle } from "../../components/pageTitle";
import { Skeleton } from "../../components/skeleton";
import { useRefusal } from "../../messages/refusals";
import { Before } from "./before";
import { Closed } from "./closed";
import { Ended } from "./ended";
import type { Stage } from "./stage";
import { useT } from "./messages";
import { Turn } from "./turn";
import { useJoin, type Joining } from "./useJoin";
import { useQueue, type Queue } from "./useQueue";
import { Waiting } from "./waiting";

export default function QueueEntryPage({ slug }: { slug: string }): ReactNode {
  const queue = useQueue(slug);
  const { joining, join } = useJoin(queue.concert?.id, queue.refresh);
  const isWanted = queue.stage === "joining" && joining.kind === "idle";
  useEffect(() => {
    // Opening this page asks for a place. After an end, only a button does.
    if (isWanted) join();
  }, [isWanted, join]);
  if (!queue.concert) return <Nothing queue={queue} />;
  return (
    <div className="page queue">
      <ConcertLink concert={queue.concert} />
      <StageOf queue={queue} joining={joining} join={join} />
    </div>
  );
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

function Nothing({ queue }: { queue: Queue }): ReactNode {
  const t = useT();
  const refusal = useRefusal();
  if (queue.isLoading) {
    return (
      <div className="page queue">
        <Skeleton lines={6} />
      </div>
    );
  }
  const { problem } = queue;
  return (
    <div className="page queue">
      <PageTitle>{problem ? t("failed.title") : t("missing.title")}</PageTitle>
      <Notice
        tone={problem ? "warning" : "info"}
        actions={
          <>
            {problem && <Button onPress={queue.refresh}>{t("tryAgain")}</Button>}
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
