/** The search and the filters above the list. Each change applies at once. */

import { useEffect, useId, useState, type ReactNode } from "react";
import { useQuery } from "urql";

import { Select, type SelectOption } from "../../components/select";
import { useLanguage } from "../../messages/i18n";
import { isFiltered, nextMonths, type Filter, type Listing } from "./filter";
import { useT } from "./messages";
import { ConcertPlaces } from "./operations";

/** A pause in typing after which the list follows. */
const TYPING_MS = 300;

const GENRES = [
  "ALTERNATIVE", "BLUES", "CLASSICAL", "COUNTRY", "ELECTRONIC", "FOLK", "HIP_HOP", "JAZZ", "LATIN",
  "METAL", "OPERA", "POP", "PUNK", "REGGAE", "ROCK", "SOUL", "WORLD", "OTHER",
] as const;

export function Filters({ filter, setFilter }: Pick<Listing, "filter" | "setFilter">): ReactNode {
  const t = useT();
  const [places, wantPlaces] = usePlaces(filter.place);
  const whens = useWhens(filter.when);
  const genres = useGenres();
  const id = useId();
  const [isOpen, setIsOpen] = useState(isFiltered({ ...filter, search: "" }));
  return (
    <form className="filters" role="search" onSubmit={(event) => event.preventDefault()}>
      <Search filter={filter} setFilter={setFilter} />
      <button
        type="button"
        className="button button-secondary filters-toggle"
        aria-expanded={isOpen}
        aria-controls={id}
        onClick={() => setIsOpen(!isOpen)}
      >
        {t("filter.show")}
      </button>
      <div
        id={id}
        className="filters-choices"
        data-open={isOpen}
        onFocus={wantPlaces}
        onPointerEnter={wantPlaces}
      >
        <Select
          label={t("filter.place")}
          value={filter.place}
          options={places}
          onChange={(place) => setFilter({ place })}
        />
        <Select label={t("filter.when")} value={filter.when} options={whens} onChange={(when) => setFilter({ when })} />
        <Select
          label={t("filter.genre")}
          value={filter.genre}
          options={genres}
          onChange={(genre) => setFilter({ genre })}
        />
        <Select
          label={t("filter.sort")}
          value={filter.sort}
          options={[
            { value: "", label: t("sort.date") },
            { value: "sale", label: t("sort.sale") },
          ]}
          onChange={(sort) => setFilter({ sort: sort as Filter["sort"] })}
        />
      </div>
    </form>
  );
}

function Search({ filter, setFilter }: Pick<Listing, "filter" | "setFilter">): ReactNode {
  const t = useT();
  const [text, setText] = useState(filter.search);
  const [applied, setApplied] = useState(filter.search);
  if (applied !== filter.search) {
    // Another part of the page has changed the search, such as the button that clears it.
    setApplied(filter.search);
    if (filter.search !== text.trim()) setText(filter.search);
  }
  useEffect(() => {
    if (text.trim() === filter.search) return;
    const timer = setTimeout(() => setFilter({ search: text.trim() }), TYPING_MS);
    return () => clearTimeout(timer);
  });
  return (
    <label className="search">
      <span className="visually-hidden">{t("filter.search")}</span>
      <input
        type="search"
        className="input"
        value={text}
        placeholder={t("filter.search")}
        maxLength={200}
        enterKeyHint="search"
        autoComplete="off"
        onChange={(event) => setText(event.target.value)}
      />
    </label>
  );
}

/** Returns the countries with their cities. They are loaded when the person comes near the filters. */
function usePlaces(chosen: string): [SelectOption[], () => void] {
  const t = useT();
  const language = useLanguage();
  const [isWanted, setIsWanted] = useState(chosen !== "");
  const [{ data }] = useQuery({ query: ConcertPlaces, pause: !isWanted });
  const venues = data?.concerts.nodes.map(({ venue }) => venue) ?? [];
  const found = new Set(venues.flatMap(({ country, city }) => [country, `${country}/${city}`]));
  if (chosen) found.add(chosen);
  const names = new Intl.DisplayNames(language, { type: "region" });
  const options = [...found].map((value) => {
    const [country = "", city] = value.split("/");
    return { value, label: city ? `${nameOf(names, country)}: ${city}` : nameOf(names, country) };
  });
  options.sort((one, other) => one.label.localeCompare(other.label, language));
  return [[{ value: "", label: t("filter.anywhere") }, ...options], () => setIsWanted(true)];
}

function nameOf(names: Intl.DisplayNames, country: string): string {
  try {
    return names.of(country) ?? country;
  } catch {
    return country; // the address contained something else
  }
}

function useWhens(chosen: string): SelectOption[] {
  const t = useT();
  const format = new Intl.DateTimeFormat(useLanguage(), { month: "long", year: "numeric" });
  const months = nextMonths();
  if (/^\d{4}-\d{2}$/.test(chosen) && !months.includes(chosen)) months.unshift(chosen);
  return [
    { value: "", label: t("filter.anytime") },
    { value: "7d", label: t("filter.days", { count: 7 }) },
    { value: "30d", label: t("filter.days", { count: 30 }) },
    ...months.map((month) => ({ value: month, label: format.format(new Date(`${month}-15T12:00:00`)) })),
  ];
}

function useGenres(): SelectOption[] {
  const t = useT();
  const language = useLanguage();
  const genres = GENRES.map((value) => ({ value: value as string, label: t(`genre.${value}`) }));
  const last = genres.pop();
  genres.sort((one, other) => one.label.localeCompare(other.label, language));
  return [{ value: "", label: t("filter.anyGenre") }, ...genres, ...(last ? [last] : [])];
}
