/** The tiers, the person's hold and the pass, as they are now. */

import { useEffect } from "react";
import { useSubscription } from "urql";

import { useConnection, useRefreshWhileStopped } from "../../api/connection";
import type { Problem } from "../../api/outcome";
import { serverNow, useNow } from "../../api/serverClock";
import { useKeptQuery } from "../../api/useKeptQuery";
import { useSession } from "../../shop/session";
import { HOLD_CHANGED, HOLD_PAGE, TIER_STOCK } from "./operations";
import { passOf, stageOf, type Concert, type OtherHold, type Stage } from "./stage";

const POLL_MS = 15_000;
const BUYING_POLL_MS = 2_000;
/** A deadline is asked about a little later, because the server ends things after it. */
const AFTER_DEADLINE_MS = 1_500;

export interface HoldPage {
  concert: Concert | null;
  stage: Stage | null;
  /** Further holds of the person at this concert, which an interrupted change may have left. */
  otherHolds: OtherHold[];
  isLoading: boolean;
  problem: Problem | null;
  refresh: () => void;
}

export function useHoldPage(slug: string): HoldPage {
  const { isKnown, session } = useSession();
  const { data, isLoading, problem, refresh } = useKeptQuery(HOLD_PAGE, { slug }, session?.name ?? "");
  const concert = isKnown ? (data?.concert ?? null) : null;
  const now = useNow(1_000);
  const stage = concert ? stageOf(concert, now) : null;
  usePushes(concert, refresh);
  useDeadlines(concert, refresh);
  useReturns(stage, refresh);
  useRefreshWhileStopped(refresh);
  const holds = data?.me?.holds ?? [];
  return {
    concert,
    stage,
    otherHolds: holds.filter(
      ({ id, state, concert: at }) => state === "HELD" && at?.id === concert?.id && id !== concert?.myHold?.id,
    ),
    isLoading: !isKnown || isLoading,
    problem,
    refresh,
  };
}

function usePushes(concert: Concert | null, refresh: () => void): void {
  const { session } = useSession();
  const concertId = concert?.id ?? "";
  useSubscription({ query: TIER_STOCK, variables: { concertId }, pause: !concert });
  const [{ data }] = useSubscription({ query: HOLD_CHANGED, variables: { concertId }, pause: !concert || !session });
  const pushed = data?.holdChanged;
  const isUnknown = pushed !== undefined && isLive(pushed.state) && pushed.id !== concert?.myHold?.id;
  const isBought = pushed !== undefined && pushed.state === "BUYING" && !concert?.myHold?.order;
  useEffect(() => {
    // Another tab or device has held tickets, or has ordered them.
    if (isUnknown || isBought) refresh();
  }, [isUnknown, isBought, refresh]);
}

const isLive = (state: string): boolean => state === "HELD" || state === "BUYING";

/** Asks again when a hold or a pass should have ended, in case the push of its end was lost. */
function useDeadlines(concert: Concert | null, refresh: () => void): void {
  const hold = concert?.myHold;
  const until = hold && isLive(hold.state) ? hold.expiresAt : concert && passOf(concert)?.expiresAt;
  useEffect(() => {
    if (!until) return undefined;
    const timer = setTimeout(refresh, Math.max(Date.parse(until) - serverNow(), 0) + AFTER_DEADLINE_MS);
    return () => {
      clearTimeout(timer);
    };
  }, [until, refresh]);
}

const POLLED: ReadonlySet<Stage> = new Set(["notOpen", "noPass", "unavailable"]);

/** Asks again after the back button, and after the connection was away. */
function useReturns(stage: Stage | null, refresh: () => void): void {
  const isOnline = useConnection() === "online";
  useEffect(() => {
    if (isOnline) refresh();
  }, [isOnline, refresh]);
  useEffect(() => {
    const again = (event: PageTransitionEvent): void => {
      if (event.persisted) refresh();
    };
    addEventListener("pageshow", again);
    return () => {
      removeEventListener("pageshow", again);
    };
  }, [refresh]);
  const everyMs = stage === "buying" ? BUYING_POLL_MS : stage && POLLED.has(stage) ? POLL_MS : null;
  useEffect(() => {
    if (everyMs === null) return undefined;
    const timer = setInterval(() => {
      if (document.visibilityState === "visible") refresh();
    }, everyMs);
    return () => {
      clearInterval(timer);
    };
  }, [everyMs, refresh]);
}
