/** The texts of the status line: a user's position in the queue and, for organizers, the room. */

export interface Stock {
  soldOut: boolean;
  tiers: { available: number }[];
}

export interface Place {
  state: string | null;
  position: number | null;
  lot: number | null;
  estimatedWait: { p50Seconds: number; p90Seconds: number } | null;
  waitingCount: number;
  expiresInSeconds: number | null;
  endReason: string | null;
  opensAt: string | null;
  roomStatus: string;
  message: string;
  stockAhead: string;
}

export interface Room {
  status: string;
  opensAt: string;
  totalActiveUsers: number;
  flow: { waitingCount: number; occupancy: number; outflow: number };
}

/** Longer messages are truncated here; the results of operations show the full text. */
const MAX_MESSAGE_LENGTH = 120;

export function stockWords(stock: Stock): string {
  if (stock.soldOut) return "sold out";
  const left = stock.tiers.reduce((sum, tier) => sum + tier.available, 0);
  return `${left.toLocaleString("en")} tickets left`;
}

export function roomWords(room: Room): string[] {
  const { waitingCount, occupancy, outflow } = room.flow;
  const inside = `${occupancy} of ${room.totalActiveUsers.toLocaleString("en")} inside`;
  const waiting = `${waitingCount.toLocaleString("en")} waiting`;
  return [roomStatusWords(room), waiting, inside, `${outflow} called in a minute`];
}

function roomStatusWords({ status, opensAt }: Room): string {
  switch (status) {
    case "SCHEDULED":
    case "PREQUEUE":
      return `opens ${moment(opensAt)}`;
    case "REJECTING":
      return "closed to new people";
    case "SUSPENDED":
      return "the waiting room is off";
    default:
      return status.toLowerCase();
  }
}

export function placeWords(place: Place): string[] {
  switch (place.state) {
    case "PREQUEUED":
      return [...registeredWords(place), ...aheadWords(place)];
    case "WAITING":
      return [...waitingWords(place), ...aheadWords(place)];
    case "READY":
      return [`it is your turn: claim your pass ${before(place)}`];
    case "ADMITTED":
      return [`you are in: buy your tickets ${before(place)}`];
    case "COMPLETED":
      return ["you have bought your tickets"];
    case "LEFT":
      return ["you left the queue"];
    case "EXPIRED":
      return [`you lost your place: ${END_REASONS[place.endReason ?? ""] ?? "its deadline passed"}`];
    default:
      return [OUTSIDE[place.roomStatus] ?? "you are not in the queue"];
  }
}

const END_REASONS: Record<string, string> = {
  ABSENT: "you were away for too long",
  NOT_CLAIMED: "you did not claim your pass in time",
  SESSION_OVER: "your pass was not used in time",
  RESET: "the organizer reset the queue",
  SALE_OVER: "the sale ended",
};

const OVER: Record<string, string> = {
  SUSPENDED: "the waiting room is off: hold tickets without a pass",
  CLOSED: "the sale is over",
};

const OUTSIDE: Record<string, string> = {
  ...OVER,
  SCHEDULED: "the queue is not open yet",
  REJECTING: "the queue is closed to new people",
};

const NOT_MOVING: Record<string, string> = {
  PAUSED: "paused; you keep your place",
  REJECTING: "calls are stopped for now; you keep your place",
};

function registeredWords(place: Place): string[] {
  const opening = place.opensAt ? `opens ${moment(place.opensAt)}` : "opens soon";
  if (place.lot !== null) return [`you have lot ${place.lot}`, `drawn when the queue ${opening}`];
  return [...positionWords(place), opening];
}

function waitingWords(place: Place): string[] {
  const over = OVER[place.roomStatus];
  if (over) return [over];
  const reason = NOT_MOVING[place.roomStatus];
  const wait = place.estimatedWait;
  return [...positionWords(place), ...(reason ? [reason] : wait ? [waitWords(wait.p50Seconds, wait.p90Seconds)] : [])];
}

function positionWords({ position, waitingCount }: Place): string[] {
  const count = waitingCount.toLocaleString("en");
  if (position === null) return [`you are one of ${count} people waiting; the next one is drawn at random`];
  return [`position ${position.toLocaleString("en")} of ${count}`];
}

function aheadWords({ stockAhead, message }: Place): string[] {
  const shown = message.length > MAX_MESSAGE_LENGTH ? `${message.slice(0, MAX_MESSAGE_LENGTH)} …` : message;
  const forecast = stockAhead === "SOLD_OUT" ? ["tickets will probably sell out before your turn"] : [];
  return [...forecast, ...(shown ? [`“${shown}”`] : [])];
}

/** A range: half of the people wait at most the first value, and nine in ten at most the second. */
function waitWords(p50: number, p90: number): string {
  if (p90 <= 15) return "a few seconds";
  const [unit, seconds] = p90 < 90 ? ["seconds", 1] : p90 < 5_400 ? ["minutes", 60] : ["hours", 3_600];
  const low = Math.max(Math.round(p50 / seconds), 1);
  const high = Math.ceil(p90 / seconds);
  return low < high ? `about ${low}–${high} ${unit}` : `about ${high} ${unit}`;
}

/** Returns the deadline in terms of this machine's clock, which may be wrong. */
function before({ expiresInSeconds }: Place): string {
  return expiresInSeconds === null ? "" : `before ${clock(new Date(Date.now() + expiresInSeconds * 1_000))}`;
}

function moment(iso: string): string {
  const when = new Date(iso);
  const isToday = when.toDateString() === new Date().toDateString();
  if (isToday) return `at ${clock(when)}`;
  return `on ${when.toLocaleDateString("en-GB", { day: "numeric", month: "long" })} at ${clock(when)}`;
}

function clock(when: Date): string {
  return when.toLocaleTimeString("en-GB");
}
