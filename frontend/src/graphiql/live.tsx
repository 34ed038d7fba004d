/** One line that keeps watching the demo concert whatever tab is open: GraphiQL ends a subscription with its tab. */

import type { Client } from "graphql-ws";
import { type ReactElement, useEffect, useState } from "react";

import type { DemoConcert } from "./concert";

interface LiveLineProps {
  socket: Client;
  concert: DemoConcert;
  isSignedIn: boolean;
}

interface Stock {
  soldOut: boolean;
  tiers: { available: number }[];
}

interface Place {
  state: string | null;
  position: number | null;
  waitingCount: number;
}

/** A place ends, for one who bought or left, and they may join again. */
const WATCH_AGAIN_MS = 3_000;

const WATCH_STOCK = `subscription LineOfStock($concertId: ID!) {
  stockChanged(concertId: $concertId) { soldOut tiers { available } }
}`;

const WATCH_PLACE = `subscription LineOfPlace($concertId: ID!) {
  queuePosition(concertId: $concertId) { state position waitingCount }
}`;

export function LiveLine({ socket, concert, isSignedIn }: LiveLineProps): ReactElement {
  const stock = useWatched<{ stockChanged: Stock }>(socket, WATCH_STOCK, concert.id, true)?.stockChanged;
  const place = useWatched<{ queuePosition: Place }>(socket, WATCH_PLACE, concert.id, isSignedIn)?.queuePosition;
  return (
    <div className="onsale-live" aria-live="polite">
      <span className="onsale-concert">{concert.name}</span>
      {stock && <span id="live-stock">{stockWords(stock)}</span>}
      {place && <span id="live-place">{placeWords(place)}</span>}
    </div>
  );
}

/** The newest payload, or undefined before the first and where the server refuses. */
function useWatched<Data>(socket: Client, query: string, concertId: string, isWanted: boolean): Data | undefined {
  const [data, setData] = useState<Data>();
  useEffect(() => {
    if (!isWanted) return undefined;
    let stop = (): void => undefined;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const again = (): void => {
      timer = setTimeout(watch, WATCH_AGAIN_MS);
    };
    const watch = (): void => {
      stop = socket.subscribe<Data>(
        { query, variables: { concertId } },
        { next: (result) => setData(result.data ?? undefined), error: again, complete: again },
      );
    };
    watch();
    return () => {
      stop();
      clearTimeout(timer);
    };
  }, [socket, query, concertId, isWanted]);
  return data;
}

function stockWords(stock: Stock): string {
  if (stock.soldOut) return "sold out";
  const left = stock.tiers.reduce((sum, tier) => sum + tier.available, 0);
  return `${left.toLocaleString("en")} tickets left`;
}

function placeWords({ state, position, waitingCount }: Place): string {
  switch (state) {
    case "WAITING":
      return `place ${position} of ${waitingCount} in line`;
    case "READY":
      return "it is your turn: claim your pass";
    case "ADMITTED":
      return "you are in: hold your tickets";
    case "COMPLETED":
      return "you have bought";
    default:
      return "you are not in line";
  }
}
