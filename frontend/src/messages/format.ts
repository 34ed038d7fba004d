/** Money, dates, durations, numbers and lists in the person's language. */

import { useMemo } from "react";

import { useLanguage } from "./i18n";

export type DateStyle = "date" | "longDateTime" | "shortDate" | "time" | "dateTime" | "weekday" | "day" | "month";

const DATE_STYLES: Record<DateStyle, Intl.DateTimeFormatOptions> = {
  date: { weekday: "long", day: "numeric", month: "long", year: "numeric" },
  longDateTime: {
    weekday: "long",
    day: "numeric",
    month: "long",
    year: "numeric",
    hour: "numeric",
    minute: "2-digit",
  },
  shortDate: { weekday: "short", day: "numeric", month: "short", year: "numeric" },
  time: { hour: "numeric", minute: "2-digit" },
  dateTime: { weekday: "short", day: "numeric", month: "short", year: "numeric", hour: "numeric", minute: "2-digit" },
  weekday: { weekday: "short" },
  day: { day: "numeric" },
  month: { month: "short" },
};

export interface Format {
  /** `amount` is in the major unit, as in `Money.amount`. */
  money(amount: string | number, currency: string): string;
  /** Without a time zone, the clock of the device's zone is shown. */
  dateTime(iso: string | number, timeZone: string | null, style: DateStyle): string;
  /** A time that is this many seconds in the future, or in the past if negative: "in 3 minutes". */
  relative(seconds: number): string;
  number(value: number): string;
  list(items: string[]): string;
  /** `mm:ss`, or `h:mm:ss` from one hour on. */
  duration(seconds: number): string;
}

export function useFormat(): Format {
  const language = useLanguage();
  return useMemo(() => formatFor(language), [language]);
}

function formatFor(language: string): Format {
  const number = new Intl.NumberFormat(language);
  const twoDigits = new Intl.NumberFormat(language, { minimumIntegerDigits: 2 });
  return {
    money: (amount, currency) => {
      const isWhole = Number.isInteger(Number(amount));
      const digits = isWhole ? { minimumFractionDigits: 0, maximumFractionDigits: 0 } : {};
      // The Arabic symbols of foreign currencies mix two directions of writing.
      const currencyDisplay = language === "ar" ? "code" : "symbol";
      const format = new Intl.NumberFormat(language, { style: "currency", currency, currencyDisplay, ...digits });
      return format.format(amount as number);
    },
    dateTime: (iso, timeZone, style) =>
      new Intl.DateTimeFormat(language, { ...DATE_STYLES[style], ...(timeZone ? { timeZone } : {}) }).format(
        new Date(iso),
      ),
    relative: (seconds) => relative(new Intl.RelativeTimeFormat(language, { numeric: "auto" }), seconds),
    number: (value) => number.format(value),
    list: (items) => new Intl.ListFormat(language).format(items),
    duration: (seconds) => {
      const hours = Math.floor(seconds / 3_600);
      const minutes = Math.floor((seconds % 3_600) / 60);
      const rest = twoDigits.format(seconds % 60);
      return hours > 0
        ? `${number.format(hours)}:${twoDigits.format(minutes)}:${rest}`
        : `${twoDigits.format(minutes)}:${rest}`;
    },
  };
}

function relative(format: Intl.RelativeTimeFormat, seconds: number): string {
  const size = Math.abs(seconds);
  if (size < 60) return format.format(Math.trunc(seconds), "second");
  if (size < 3_600) return format.format(Math.trunc(seconds / 60), "minute");
  if (size < 86_400) return format.format(Math.trunc(seconds / 3_600), "hour");
  return format.format(Math.trunc(seconds / 86_400), "day");
}
