/** The estimated wait in the words of people: rounded, because an estimate is not exact. */

export interface WaitEstimate {
  p50Seconds: number;
  p90Seconds: number;
}

/** `from` and `to` are whole minutes, or hours in halves. They are equal if one number says it. */
export interface WaitBand {
  unit: "soon" | "minutes" | "hours";
  from: number;
  to: number;
}

const MINUTE = 60;
const HALF_HOUR = 30 * MINUTE;
const LONG = 90 * MINUTE;
const COARSE = 20 * MINUTE;

/** The band is never narrower than the estimate: its lower end is rounded down, the upper one up. */
export function bandOf({ p50Seconds, p90Seconds }: WaitEstimate): WaitBand {
  if (p90Seconds <= MINUTE) return { unit: "soon", from: 0, to: 1 };
  if (p50Seconds >= LONG) {
    return { unit: "hours", from: Math.floor(p50Seconds / HALF_HOUR) / 2, to: Math.ceil(p90Seconds / HALF_HOUR) / 2 };
  }
  const step = p50Seconds >= COARSE ? 5 : 1;
  const from = Math.max(Math.floor(p50Seconds / MINUTE / step) * step, 1);
  const to = Math.ceil(p90Seconds / MINUTE / step) * step;
  return { unit: "minutes", from, to: Math.max(to, from) };
}
