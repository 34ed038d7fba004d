/** The filter of the list and its pages, which are parts of the address. */

import { useMemo } from "react";
import { useSearchParams } from "wouter";

import type { ConcertsQueryVariables } from "../../api/generated/graphql";

export interface Filter {
  search: string;
  /** `DE` for a country, or `DE/Berlin` for a city; empty for all places. */
  place: string;
  /** `7d` and `30d` for the next days, or a month such as `2027-01`; empty for any date. */
  when: string;
  genre: string;
  sort: "" | "sale";
}

/** The pages after the first, by the cursors at which they start. */
export interface Listing {
  filter: Filter;
  cursors: readonly string[];
  setFilter(change: Partial<Filter>): void;
  clear(): void;
  showMore(cursor: string): void;
}

const NAMES: Record<keyof Filter, string> = { search: "q", place: "place", when: "when", genre: "genre", sort: "sort" };
const AFTER = "after";

export function useListing(): Listing {
  const [parameters, setParameters] = useSearchParams();
  const replace = (change: (next: URLSearchParams) => void): void => {
    const next = new URLSearchParams(parameters);
    change(next);
    setParameters(next, { replace: true });
  };
  return {
    filter: {
      search: parameters.get(NAMES.search) ?? "",
      place: parameters.get(NAMES.place) ?? "",
      when: parameters.get(NAMES.when) ?? "",
      genre: parameters.get(NAMES.genre) ?? "",
      sort: parameters.get(NAMES.sort) === "sale" ? "sale" : "",
    },
    cursors: parameters.getAll(AFTER),
    setFilter: (change) =>
      replace((next) => {
        next.delete(AFTER);
        for (const [field, value] of Object.entries(change)) {
          const name = NAMES[field as keyof Filter];
          if (value) next.set(name, value);
          else next.delete(name);
        }
      }),
    clear: () => setParameters(new URLSearchParams(), { replace: true }),
    showMore: (cursor) => replace((next) => next.append(AFTER, cursor)),
  };
}

export function isFiltered({ search, place, when, genre }: Filter): boolean {
  return Boolean(search || place || when || genre);
}

/** Returns the variables of the query; none at all for the whole list. */
export function useVariables(filter: Filter, after: string | undefined): ConcertsQueryVariables {
  const { search, place, when, genre, sort } = filter;
  return useMemo(() => {
    const [country, city] = place.split("/");
    const wanted = {
      ...(search && { search }),
      ...(country && { country }),
      ...(city && { city }),
      ...(genre && { genre: [genre] }),
      ...rangeOf(when),
    } as NonNullable<ConcertsQueryVariables["filter"]>;
    return {
      ...(after && { after }),
      ...(Object.keys(wanted).length > 0 && { filter: wanted }),
      ...(sort && { sort: "SALES_START_AT" as const }),
    };
  }, [search, place, when, genre, sort, after]);
}

/** Returns the limits of a choice of dates, by the days of the device. */
function rangeOf(when: string): { startsAfter?: string; startsBefore?: string } {
  const days = /^(\d{1,3})d$/.exec(when)?.[1];
  if (days) {
    const end = new Date();
    end.setHours(24 * (Number(days) + 1), 0, 0, 0);
    return { startsBefore: end.toISOString() };
  }
  const month = /^(\d{4})-(\d{2})$/.exec(when);
  if (!month) return {};
  const [year, index] = [Number(month[1]), Number(month[2]) - 1];
  return {
    startsAfter: new Date(year, index, 1).toISOString(),
    startsBefore: new Date(year, index + 1, 1).toISOString(),
  };
}

/** Returns this month and the eleven after it, as values of `Filter.when`. */
export function nextMonths(): string[] {
  const now = new Date();
  return Array.from({ length: 12 }, (_, ahead) => {
    const month = new Date(now.getFullYear(), now.getMonth() + ahead, 1);
    return `${month.getFullYear()}-${String(month.getMonth() + 1).padStart(2, "0")}`;
  });
}
