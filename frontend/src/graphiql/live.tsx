/** One line that keeps watching the demo concert whatever tab is open: GraphiQL ends a subscription with its tab. */

import type { Client } from "graphql-ws";
import { type ReactElement, useEffect, useState } from "react";

import type { Session } from "../session";
import type { DemoConcert } from "./concert";
import { type Place, placeWords, type Room, roomWords, type Stock, stockWords } from "./words";

interface LiveLineProps {
  socket: Client;
  concert: DemoConcert;
  session: Session | null;
}

/** A line breaks behind it, never before. */
const DOT = "\u00a0· ";

/** A place ends, for one who bought or left, and they may join again. */
const WATCH_AGAIN_MS = 1_000;

/** A change of person closes the socket too, and opens it at once. */
const AWAY_AFTER_MS = 1_000;

const WATCH_STOCK = `subscription LineOfStock($concertId: ID!) {
  stockChanged(concertId: $concertId) { soldOut tiers { available } }
}`;

const WATCH_PLACE = `subscription LineOfPlace($concertId: ID!) {
  queuePosition(concertId: $concertId) {
    state position lot estimatedWait { p50Seconds p90Seconds } waitingCount expiresInSeconds endReason opensAt
    roomStatus message stockAhead
  }
}`;

const WATCH_ROOM = `subscription LineOfRoom($concertId: ID!) {
  waitingRoomChanged(concertId: $concertId) {
    status opensAt totalActiveUsers flow { waitingCount occupancy outflow }
  }
}`;

export function LiveLine({ socket, concert, session }: LiveLineProps): ReactElement {
  const runsIt = session?.roles.includes("organizer") ?? false;
  const stock = useWatched<{ stockChanged: Stock }>(socket, WATCH_STOCK, concert.id, true)?.stockChanged;
  const place = useWatched<{ queuePosition: Place }>(socket, WATCH_PLACE, concert.id, session !== null)?.queuePosition;
  const room = useWatched<{ waitingRoomChanged: Room }>(socket, WATCH_ROOM, concert.id, runsIt)?.waitingRoomChanged;
  const isAway = useIsAway(socket);
  return (
    <div className="onsale-live" aria-live="polite">
      <span className="onsale-concert">{concert.name}</span>
      {stock && <span id="live-stock">{stockWords(stock)}</span>}
      {place && (place.state || !runsIt) && <span id="live-place">{placeWords(place).join(DOT)}</span>}
      {room && <span id="live-room">{roomWords(room).join(DOT)}</span>}
      {isAway && <span id="live-away">no connection: this was last known</span>}
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

function useIsAway(socket: Client): boolean {
  const [isAway, setIsAway] = useState(false);
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const closed = (): void => {
      clearTimeout(timer);
      timer = setTimeout(() => setIsAway(true), AWAY_AFTER_MS);
    };
    const connected = (): void => {
      clearTimeout(timer);
      setIsAway(false);
    };
    const stops = [socket.on("closed", closed), socket.on("connected", connected)];
    return () => {
      for (const stop of stops) stop();
      clearTimeout(timer);
    };
  }, [socket]);
  return isAway;
}
