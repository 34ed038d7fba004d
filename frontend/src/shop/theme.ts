/** The theme: the device's, or the one that the person has chosen on this device. */

import { useSyncExternalStore } from "react";

export type Theme = "system" | "light" | "dark";

const KEY = "onsale.theme";
const listeners = new Set<() => void>();

function stored(): Theme {
  const choice = localStorage.getItem(KEY);
  return choice === "light" || choice === "dark" ? choice : "system";
}

/** Without a choice, the styles follow the device (src/styles/tokens.css). */
export function applyTheme(): void {
  const theme = stored();
  if (theme === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
}

export function chooseTheme(theme: Theme): void {
  localStorage.setItem(KEY, theme);
  applyTheme();
  for (const listener of listeners) listener();
}

export function useTheme(): Theme {
  return useSyncExternalStore((listener) => {
    listeners.add(listener);
    return () => listeners.delete(listener);
  }, stored);
}
