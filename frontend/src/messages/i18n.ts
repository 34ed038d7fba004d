/** The texts of the pages in the person's language. Each page has a folder `messages` for its own. */

import { setupI18n, type I18n, type Messages } from "@lingui/core";
import { use, useSyncExternalStore } from "react";

export const LANGUAGES = { en: "English", de: "Deutsch", ar: "العربية" } as const;
export type Language = keyof typeof LANGUAGES;

type Shared = typeof import("./en.json");
type Values = Record<string, string | number>;
type Loaders = Record<string, () => Promise<unknown>>;
type Translate<Texts> = (key: (keyof Texts | keyof Shared) & string, values?: Values) => string;

const RIGHT_TO_LEFT: ReadonlySet<Language> = new Set(["ar"]);
const CHOICE_KEY = "onsale.language";

const listeners = new Set<() => void>();
/** Load the texts of each part of the pages that has been opened. */
const loaders = new Set<(language: Language) => Promise<unknown>>();
let current: Language = chosen();
let wanted: Language = current;

/**
 * Sets the language of the document, and remembers it on this device. The page stays as it is until
 * the texts have arrived, and keeps its language if they do not.
 */
export async function activate(language: Language): Promise<void> {
  wanted = language;
  const loading = await Promise.allSettled([...loaders].map((load) => load(language)));
  const isComplete = loading.every(({ status }) => status === "fulfilled");
  if (!isComplete || wanted !== language) return;
  localStorage.setItem(CHOICE_KEY, language);
  current = language;
  applyToDocument();
  for (const listener of listeners) listener();
}

export function applyToDocument(): void {
  document.documentElement.lang = current;
  document.documentElement.dir = RIGHT_TO_LEFT.has(current) ? "rtl" : "ltr";
}

export const currentLanguage = (): Language => current;

export function useLanguage(): Language {
  return useSyncExternalStore(subscribe, currentLanguage);
}

/**
 * Makes the hook that returns the texts of a page, and after them the shared ones:
 *
 *     type Texts = typeof import("./messages/en.json");
 *     export const useT = texts<Texts>(import.meta.glob("./messages/*.json"));
 *     …
 *     const t = useT();
 *     t("title", { count: 3 });
 *
 * It suspends until the texts have arrived.
 */
export function texts<Texts>(pages: Loaders): () => Translate<Texts> {
  const catalogs = new Map<Language, Promise<I18n>>();

  function load(language: Language): Promise<I18n> {
    const known = catalogs.get(language);
    if (known) return known;
    const catalog = Promise.all([read(SHARED, language), read(pages, language)]).then(([shared, own]) =>
      setupI18n({ locale: language, messages: { [language]: { ...shared, ...own } } }),
    );
    catalogs.set(language, catalog);
    // React reads these fields of a promise, so a component does not suspend for texts that are there.
    catalog.then(
      (value) => Object.assign(catalog, { status: "fulfilled", value }),
      () => catalogs.delete(language), // the next attempt loads it again
    );
    return catalog;
  }

  loaders.add(load);
  if (typeof document !== "undefined") load(current).catch(() => undefined);
  return () => {
    // `use` is called in each render: React fails if a component that it resumes leaves it out.
    const i18n = use(load(useLanguage()));
    return (key, values) => i18n._(key, RIGHT_TO_LEFT.has(i18n.locale as Language) ? isolated(values) : values);
  };
}

/** Keeps names in another script from moving the words and the marks beside them. */
function isolated(values: Values = {}): Values {
  const isolate = (value: string | number): string | number =>
    typeof value === "string" && value ? `\u2068${value}\u2069` : value;
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, isolate(value)]));
}

const SHARED: Loaders = import.meta.glob("./*.json");

/** The hook that returns the shared texts only. */
export const useT = texts<Shared>({});

async function read(loaders: Loaders, language: Language): Promise<Messages> {
  const path = Object.keys(loaders).find((name) => name.endsWith(`/${language}.json`));
  const loader = path && loaders[path];
  if (!loader) return {};
  return ((await loader()) as { default: Messages }).default;
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** Returns the stored choice, or else the first of the browser's languages that the pages have. */
function chosen(): Language {
  const wanted = [localStorage.getItem(CHOICE_KEY), ...navigator.languages];
  for (const tag of wanted) {
    const language = tag?.split("-")[0]?.toLowerCase();
    if (language && language in LANGUAGES) return language as Language;
  }
  return "en";
}
