/**
 * Stores GraphiQL's tabs separately for each concert, so that ids from a deleted database do not
 * reappear in a tab.
 */

import type { Storage } from "@graphiql/toolkit";

import type { DemoConcert } from "./concert";

const TABS = "graphiql:tabState";
const EDITORS = ["graphiql:query", "graphiql:variables", "graphiql:headers"];

export function tabStorage(concert: DemoConcert | null): Storage {
  const named = (key: string): string =>
    key === TABS || EDITORS.includes(key) ? `${key}:${concert?.id ?? "none"}` : key;
  return {
    get length() {
      return localStorage.length;
    },
    getItem: (key) => localStorage.getItem(named(key)),
    setItem: (key, value) => localStorage.setItem(named(key), value),
    removeItem: (key) => localStorage.removeItem(named(key)),
    clear: () => localStorage.clear(),
  };
}
