import type { ReactNode } from "react";

import { useSecondsUntil } from "../api/serverClock";
import { useFormat } from "../messages/format";

export interface ClockProps {
  /** RFC 3339, or Unix milliseconds. */
  until: string | number;
  /** What ends, for screen readers: "Time left to pay". */
  label: string;
}

/**
 * The time that is left, by the server's clock. It is not announced each second; a page announces
 * the minutes that matter.
 */
export function Clock({ until, label }: ClockProps): ReactNode {
  const seconds = useSecondsUntil(until) ?? 0;
  const format = useFormat();
  return (
    <span className="clock tabular" role="timer" aria-label={`${label}: ${format.duration(seconds)}`} dir="ltr">
      {format.duration(seconds)}
    </span>
  );
}
