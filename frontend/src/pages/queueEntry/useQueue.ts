/** The place of the person in the queue, and the room around it, as they are now. */

import { useEffect, useState } from "react";
import { useMutation, useSubscription } from "urql";

import { useConnection, useRefreshWhileStopped } from "../../api/connection";
import type { Problem } from "../../api/outcome";
import { useKeptQuery } from "../../api/useKeptQuery";
import { useSession } from "../../shop/session";
import { HEARTBEAT, QUEUE_ENTRY_PAGE, QUEUE_POSITION, WATCHED_SALE } from "./operations";
import { isActive, stageOf, type Concert, type Live, type Stage } from "./stage";

const POLL_MS = 15_000;
/** A heartbeat is due well before the server's shortest usual limit, even if one is lost. */
const MAX_HEARTBEAT_MS = 20_000;

export interface Queue {
  concert: Concert | null;
  /** The newest push; null without a place, and before the first push. */
  live: Live | null;
  stage: Stage | null;
  isLoading: boolean;
  problem: Problem | null;
  refresh: () => void;
}

export function useQueue(slug: string): Queue {
  const { session, isKnown } = useSession();
  const { data, isLoading, problem, refresh } = useKeptQuery(QUEUE_ENTRY_PAGE, { slug }, session?.name ?? "");
  const concert = data?.concert ?? null;
  const live = useLive(concert, refresh);
  useSaleWithoutPlace(concert);
  useHeartbeats(concert);
  const status = live?.roomStatus ?? concert?.waitingRoom?.status;
  const stage = concert && isKnown ? stageOf(concert, status, session !== null) : null;
  usePolling(stage, refresh);
  useRefreshWhileStopped(refresh);
  return {
    concert: isKnown ? concert : null,
    live,
    stage,
    isLoading: !isKnown || isLoading,
    problem,
    refresh,
  };
}

/** Runs the subscription while the place lives. It also keeps the place. */
function useLive(concert: Concert | null, refresh: () => void): Live | null {
  const isRunning = isActive(concert?.myQueueEntry);
  const [{ data }] = useSubscription(
    { query: QUEUE_POSITION, variables: { concertId: concert?.id ?? "" }, pause: !isRunning },
    newest,
  );
  const state = concert?.myQueueEntry?.state;
  const [known, setKnown] = useState(state);
  useEffect(() => {
    // A step of the entry may have come with a change of the room, such as a draw or a closed sale.
    if (known && state !== known) refresh();
    setKnown(state);
  }, [state, known, refresh]);
  return isRunning ? (data?.queuePosition ?? null) : null;
}

type Pushed = { queuePosition: Live };

function newest(known: Pushed | undefined, pushed: Pushed): Pushed {
  if (!known) return pushed;
  const [before, now] = [known.queuePosition, pushed.queuePosition];
  const isOlder = now.epoch < before.epoch || (now.epoch === before.epoch && now.version < before.version);
  return isOlder ? known : pushed;
}

/** Follows the stock, the room and the end of the sale. */
function useSaleWithoutPlace(concert: Concert | null): void {
  const mayChange = concert?.status === "PUBLISHED" || concert?.status === "CLOSED";
  const isNeeded = mayChange && !isActive(concert.myQueueEntry);
  useSubscription({ query: WATCHED_SALE, variables: { concertId: concert?.id ?? "" }, pause: !isNeeded });
}

/** Keeps the place while the socket is away: HTTP may work where a socket does not. */
function useHeartbeats(concert: Concert | null): void {
  const isCut = useConnection() !== "online";
  const [, sendHeartbeat] = useMutation(HEARTBEAT);
  const entry = concert?.myQueueEntry;
  const isWaiting = entry?.state === "WAITING" || entry?.state === "PREQUEUED";
  const limitMs = (concert?.waitingRoom?.heartbeatTimeoutSeconds ?? 60) * 1_000;
  const everyMs = Math.min(limitMs / 3, MAX_HEARTBEAT_MS);
  const concertId = concert?.id;
  useEffect(() => {
    if (!isCut || !isWaiting || concertId === undefined) return undefined;
    const beat = (): void => void sendHeartbeat({ concertId });
    beat();
    const timer = setInterval(beat, everyMs);
    return () => {
      clearInterval(timer);
    };
  }, [isCut, isWaiting, concertId, everyMs, sendHeartbeat]);
}

const POLLED: ReadonlySet<Stage> = new Set(["notOpen", "rejecting", "unavailable", "signedOut", "ended", "noQueue"]);

/** A place on another device is not pushed, and sockets may be blocked, so the server is asked, too. */
function usePolling(stage: Stage | null, refresh: () => void): void {
  const isPolled = stage !== null && POLLED.has(stage);
  useEffect(() => {
    if (!isPolled) return undefined;
    const timer = setInterval(() => {
      if (document.visibilityState === "visible") refresh();
    }, POLL_MS);
    return () => {
      clearInterval(timer);
    };
  }, [isPolled, refresh]);
}
