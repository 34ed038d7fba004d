/**
 * The token of a transfer link. It is in the fragment of the address, so it reaches no server and
 * no log before the person accepts. While the person signs in, it is kept in this browser tab only.
 */

const KEY = "onsale.transfer";

/** Takes the token out of the address, and returns the one that this tab has, or null. */
export function takeToken(): string | null {
  const token = location.hash.slice(1).trim();
  if (token) {
    sessionStorage.setItem(KEY, token);
    history.replaceState(history.state, "", location.pathname + location.search);
  }
  return sessionStorage.getItem(KEY);
}

export function forgetToken(): void {
  sessionStorage.removeItem(KEY);
}
