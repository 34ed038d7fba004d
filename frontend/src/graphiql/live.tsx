/**
 * The status line of the demo concert. Its subscriptions continue when the user switches tabs,
 * whereas GraphiQL ends its own.
 */

import type { Client } from "graphql-ws";
import { type ReactElement, useEffect, useState } from "react";

import type { Session } from "../session";
import { keepSubscribed } from "../subscription";
import type { DemoConcert } from "./concert";
import { MUTATION_ANSWERED } from "./fetcher";
import { type Place, placeWords, type Room, roomWords, type Stock, stockWords } from "./words";

interface StatusLineProps {
  socket: Client;
  concert: DemoConcert;
  session: Session | null;
  mutations: EventTarget;
}

/** A line may break after the dot, but not before it. */
const SEPARATOR = "\u00a0· ";

/** Longer than the gap while the socket is reopened because another user has signed in. */
const DISCONNECTED_AFTER_MS = 1_000;

const WATCH_STOCK = `subscription StatusOfStock($concertId: ID!) {
  stockChanged(concertId: $concertId) { soldOut tiers { available } }
}`;

const WATCH_PLACE = `subscription StatusOfPlace($concertId: ID!) {
  queuePosition(concertId: $concertId) {
    state position lot estimatedWait { p50Seconds p90Seconds } waitingCount expiresInSeconds endReason opensAt
    roomStatus message stockAhead
  }
}`;

const WATCH_ROOM = `subscription StatusOfRoom($concertId: ID!) {
  waitingRoomChanged(concertId: $concertId) {
    status opensAt totalActiveUsers flow { waitingCount occupancy outflow }
  }
}`;

export function StatusLine({ socket, concert, session, mutations }: StatusLineProps): ReactElement {
  const isOrganizer = session?.roles.includes("organizer") ?? false;
  const source: DataSource = { socket, concertId: concert.id, mutations };
  const stock = useSubscription<{ stockChanged: Stock }>(source, WATCH_STOCK, true)?.stockChanged;
  const place = useSubscription<{ queuePosition: Place }>(source, WATCH_PLACE, session !== null)?.queuePosition;
  const room = useSubscription<{ waitingRoomChanged: Room }>(source, WATCH_ROOM, isOrganizer)?.waitingRoomChanged;
  const isDisconnected = useIsDisconnected(socket);
  return (
    <div className="onsale-live" aria-live="polite">
      <span className="onsale-concert">{concert.name}</span>
      {stock && <span id="live-stock">{stockWords(stock)}</span>}
      {place && (place.state || !isOrganizer) && <span id="live-place">{placeWords(place).join(SEPARATOR)}</span>}
      {room && <span id="live-room">{roomWords(room).join(SEPARATOR)}</span>}
      {isDisconnected && <span id="live-away">no connection: this may be out of date</span>}
    </div>
  );
}

interface DataSource {
  socket: Client;
  concertId: string;
  mutations: EventTarget;
}

/**
 * Returns the newest payload, or undefined if none has arrived. The server completes the
 * subscription when the entry ends. A mutation resumes it, because the user may have a new entry.
 */
function useSubscription<Data>(source: DataSource, query: string, isWanted: boolean): Data | undefined {
  const { socket, concertId, mutations } = source;
  const [data, setData] = useState<Data>();
  useEffect(() => {
    if (!isWanted) return undefined;
    const { resume, stop } = keepSubscribed<Data>(socket, { query, variables: { concertId } }, {
      next: (result) => setData(result.data ?? undefined),
      // The person may be refused now, and not in an hour.
      failed: ({ kind }) => kind === "refused",
    });
    mutations.addEventListener(MUTATION_ANSWERED, resume);
    return () => {
      mutations.removeEventListener(MUTATION_ANSWERED, resume);
      stop();
      setData(undefined);
    };
  }, [socket, mutations, query, concertId, isWanted]);
  return data;
}

function useIsDisconnected(socket: Client): boolean {
  const [isDisconnected, setIsDisconnected] = useState(false);
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const closed = (): void => {
      clearTimeout(timer);
      timer = setTimeout(() => setIsDisconnected(true), DISCONNECTED_AFTER_MS);
    };
    const connected = (): void => {
      clearTimeout(timer);
      setIsDisconnected(false);
    };
    const stops = [socket.on("closed", closed), socket.on("connected", connected)];
    return () => {
      for (const stop of stops) stop();
      clearTimeout(timer);
    };
  }, [socket]);
  return isDisconnected;
}
