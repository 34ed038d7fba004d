import type { ReactNode } from "react";

import { useFormat, type DateStyle } from "../messages/format";
import { useT } from "../messages/i18n";

export interface DateTimeProps {
  /** RFC 3339. */
  value: string;
  /** The zone of the venue. Null shows the device's zone. */
  timeZone: string | null;
  format?: DateStyle;
  /** Adds the time of the person's own zone, if its clocks differ. */
  hasOwnTime?: boolean;
}

/** A time as the clocks at the venue show it. */
export function DateTime({ value, timeZone, format = "dateTime", hasOwnTime = false }: DateTimeProps): ReactNode {
  const { dateTime } = useFormat();
  const t = useT();
  const there = dateTime(value, timeZone, format);
  const here = dateTime(value, null, format);
  return (
    <span className="date-time">
      <time dateTime={value}>{there}</time>
      {hasOwnTime && here !== there && <span className="own-time">{t("yourTime", { time: here })}</span>}
    </span>
  );
}
