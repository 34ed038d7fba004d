/**
 * The signed-in user. A login on the issuer's page starts a session for the whole browser: its
 * cookie is hidden from scripts, and the server keeps the tokens. In development, "sign in as"
 * instead keeps a token for this browser tab. That token takes precedence, so two tabs can have
 * different users.
 */

import { stringifyDocument } from "@urql/core";

import { hashOf } from "./api/document";
import { graphql } from "./api/generated";
import { fetchFrom } from "./network";
import type { Settings } from "./settings";

export interface Session {
  name: string;
  /** The name to print on tickets, or null if it is not known. */
  fullName: string | null;
  email: string | null;
  roles: string[];
}

/** A user signed in to this tab only. Times are in Unix milliseconds, by this machine's clock. */
interface TabSession extends Session {
  accessToken: string;
  refreshToken: string | null;
  expiresAt: number;
  /** When to renew the token, some time before it expires. */
  renewAt: number;
}

/** RFC 6749, section 5.1. */
interface TokenAnswer {
  access_token: string;
  expires_in: number;
  refresh_token?: string;
}

/** The first word of the reason that the server gives when it closes a lost session's socket. */
export const SESSION_LOST = "SESSION_LOST";

const TAB_KEY = "onsale.session";
/** Set once the page has started a login, so that it does not start another one. */
const LOGIN_STARTED_KEY = "onsale.login-started";
/**
 * A token is renewed this long before its expiry, or a third of its lifetime if that is less, so
 * that it cannot expire during a request.
 */
const RENEW_EARLY_MS = 60_000;
/**
 * The shortest time between two requests for a renewal. In the last minutes of a login session, an
 * issuer shortens each token to the time that is left.
 */
const RENEW_GAP_MS = 10_000;

const WHO = graphql(`query WhoAmI { me { name email roles } }`);

export class Sessions {
  #current: Session | null = null;
  #tab: TabSession | null = null;
  #listeners = new Set<() => void>();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #renewing: Promise<void> | null = null;
  #renewedAt = Number.NEGATIVE_INFINITY;
  #endpoints: Promise<Endpoints> | null = null;
  #losing: Promise<void> | null = null;
  #isKnown = false;
  readonly #settings: Promise<Settings>;
  readonly #onLost: () => void;

  private constructor(settings: Promise<Settings>, onLost: () => void) {
    this.#settings = settings;
    this.#onLost = onLost;
  }

  /** Finds out who is signed in, in this tab or in the browser. */
  static async open(settings: Settings): Promise<Sessions> {
    const sessions = new Sessions(Promise.resolve(settings), goToLogin);
    await sessions.#start();
    return sessions;
  }

  /**
   * Returns at once, and finds out later who is signed in; see `isKnown`. Calls `onLost` when the
   * browser's session has ended without a sign-out.
   */
  static start(settings: Promise<Settings>, onLost: () => void): Sessions {
    const sessions = new Sessions(settings, onLost);
    sessions.#start().catch(() => undefined); // the server is unavailable; the next look finds out
    return sessions;
  }

  async #start(): Promise<void> {
    document.addEventListener("visibilitychange", this.#readAgain);
    const stored = sessionStorage.getItem(TAB_KEY);
    if (stored) this.#adoptTab(JSON.parse(stored) as TabSession);
    else await this.#readCookieSession();
  }

  /** All tabs share the session, so the user may have signed in or out in another one. */
  readonly #readAgain = (): void => {
    if (document.visibilityState === "visible" && !this.#tab) this.#readCookieSession().catch(() => undefined);
  };

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  readonly current = (): Session | null => this.#current;

  /** Whether the server has said who is signed in; until then, `current` is null. */
  readonly isKnown = (): boolean => this.#isKnown;

  /** Returns the token of this tab, valid long enough for a request, or null if it has none. */
  async accessToken(): Promise<string | null> {
    if (this.#tab && this.#nextRenewal(this.#tab) <= Date.now()) await this.#renew();
    return this.#tab?.accessToken ?? null;
  }

  /** Adds the user's credentials to a request, unless it already has an Authorization header. */
  async signed(init: RequestInit | undefined): Promise<RequestInit> {
    const headers = new Headers(init?.headers);
    const token = await this.accessToken();
    if (token && !headers.has("Authorization")) headers.set("Authorization", `Bearer ${token}`);
    const usesCookie = !headers.has("Authorization");
    if (usesCookie) headers.set("GraphQL-Require-Preflight", "1");
    return { ...init, headers, credentials: usesCookie ? "same-origin" : "omit" };
  }

  /** Signs in a demo user of the development issuer; the password is the user name. */
  async signInAs(name: string): Promise<void> {
    const answer = await this.#ask({ grant_type: "password", username: name, password: name });
    this.#adoptTab(sessionOf(answer));
  }

  async signOut(): Promise<void> {
    if (this.#tab) {
      this.#adoptTab(null);
      await this.#readCookieSession();
      return;
    }
    const response = await fetchFrom("The server", "/logout", {
      method: "POST",
      headers: { Accept: "application/json" },
    });
    if (!response.ok) throw new Error(`The server answered ${response.status}; try again.`);
    const { location: next } = (await response.json()) as { location: string };
    this.#adopt(null);
    // The issuer ends its own session, and then returns to this page.
    location.assign(next);
  }

  /** Call this if an answer says that the browser's session is lost. */
  readonly lose = (): void => {
    if (this.#tab) return;
    this.#losing ??= this.#reportLoss()
      .catch(() => undefined) // the server is unavailable; its next answer reports the loss again
      .finally(() => {
        this.#losing = null;
      });
  };

  /** Returns the user of the browser's session, null if there is none, or "lost". */
  async #askWho(): Promise<Session | "lost" | null> {
    const body = JSON.stringify({ query: stringifyDocument(WHO), documentId: `sha256:${hashOf(WHO)}` });
    const init = { method: "POST", headers: { "Content-Type": "application/json" }, body };
    const response = await fetchFrom("The server", "/graphql", await this.signed(init));
    const answer = (await response.json()) as { data?: { me?: Me | null } };
    if (isSessionLost(answer)) return "lost";
    const me = answer.data?.me;
    if (!me) return null;
    return { name: me.name, fullName: me.name, email: me.email, roles: me.roles.map((role) => role.toLowerCase()) };
  }

  async #readCookieSession(): Promise<void> {
    const who = await this.#askWho();
    if (this.#tab) return;
    if (who === "lost") await this.#reportLoss();
    else this.#adoptCookie(who);
  }

  async #reportLoss(): Promise<void> {
    // The person may have signed in again in another tab meanwhile.
    const who = await this.#askWho();
    if (this.#tab) return;
    if (who && who !== "lost") {
      this.#adoptCookie(who);
      return;
    }
    this.#adopt(null);
    this.#onLost();
  }

  #adoptCookie(session: Session | null): void {
    if (session) sessionStorage.removeItem(LOGIN_STARTED_KEY);
    if (!this.#isKnown || JSON.stringify(session) !== JSON.stringify(this.#current)) this.#adopt(session);
  }

  #adopt(session: Session | null): void {
    this.#current = session;
    this.#isKnown = true;
    for (const listener of this.#listeners) listener();
  }

  #adoptTab(session: TabSession | null): void {
    this.#tab = session;
    if (session) sessionStorage.setItem(TAB_KEY, JSON.stringify(session));
    else sessionStorage.removeItem(TAB_KEY);
    this.#planRenewal();
    this.#adopt(session);
  }

  #planRenewal(): void {
    clearTimeout(this.#timer);
    if (!this.#tab) return;
    const delayMs = Math.max(this.#nextRenewal(this.#tab) - Date.now(), 0);
    this.#timer = setTimeout(() => void this.#renew(), delayMs);
  }

  #nextRenewal(session: TabSession): number {
    return Math.max(session.renewAt, this.#renewedAt + RENEW_GAP_MS);
  }

  /** Renews the token. Concurrent callers share one request. */
  #renew(): Promise<void> {
    this.#renewing ??= this.#renewOnce().finally(() => {
      this.#renewing = null;
    });
    return this.#renewing;
  }

  async #renewOnce(): Promise<void> {
    const before = this.#tab;
    if (!before) return;
    this.#renewedAt = Date.now();
    try {
      if (!before.refreshToken) throw new Refused("it cannot be renewed");
      const answer = await this.#ask({ grant_type: "refresh_token", refresh_token: before.refreshToken });
      // If the user signed in or out during the request, this result is dropped.
      if (this.#tab === before) this.#adoptTab(sessionOf(answer));
    } catch (error) {
      if (this.#tab !== before) return;
      if (error instanceof Refused) this.#adoptTab(null);
      else this.#planRenewal(); // the issuer is unavailable for now
    }
  }

  async #ask(grant: Record<string, string>): Promise<TokenAnswer> {
    const { issuer, clientId } = await this.#settings;
    const { token_endpoint } = await this.#discover(issuer);
    const body = new URLSearchParams({ client_id: clientId, ...grant });
    const response = await fetchFrom("The issuer", token_endpoint, { method: "POST", body });
    if (response.status >= 400 && response.status < 500) throw new Refused(await response.text());
    if (!response.ok) throw new Error(`The issuer answered ${response.status}; try again.`);
    return (await response.json()) as TokenAnswer;
  }

  #discover(issuer: string): Promise<Endpoints> {
    this.#endpoints ??= discover(issuer).catch((error: unknown) => {
      this.#endpoints = null;
      throw error;
    });
    return this.#endpoints;
  }
}

/** Returns the address that signs in at the issuer, and then returns to this page. */
export function loginAddress(): string {
  return `/login?${new URLSearchParams({ return: location.pathname + location.search })}`;
}

/** Goes to the login page, but only once, so that a page without a way back does not loop. */
function goToLogin(): void {
  if (sessionStorage.getItem(LOGIN_STARTED_KEY)) return;
  sessionStorage.setItem(LOGIN_STARTED_KEY, "yes");
  location.assign(loginAddress());
}

/** Returns whether the server's answer says that the browser's session has ended. */
export function isSessionLost(answer: unknown): boolean {
  const { errors } = (answer ?? {}) as { errors?: { extensions?: { code?: string } }[] };
  return errors?.some((error) => error.extensions?.code === SESSION_LOST) ?? false;
}

class Refused extends Error {}

interface Me {
  name: string;
  email: string | null;
  roles: string[];
}

interface Endpoints {
  token_endpoint: string;
}

async function discover(issuer: string): Promise<Endpoints> {
  const response = await fetchFrom("The issuer", `${issuer.replace(/\/$/, "")}/.well-known/openid-configuration`);
  if (!response.ok) throw new Error(`The issuer answered ${response.status}; try again.`);
  return (await response.json()) as Endpoints;
}

function sessionOf(answer: TokenAnswer): TabSession {
  const lifetimeMs = answer.expires_in * 1_000;
  const expiresAt = Date.now() + lifetimeMs;
  return {
    ...personIn(answer.access_token),
    accessToken: answer.access_token,
    refreshToken: answer.refresh_token ?? null,
    expiresAt,
    renewAt: expiresAt - Math.min(RENEW_EARLY_MS, lifetimeMs / 3),
  };
}

/** Reads the name, email and roles from the token for display. The server verifies the token. */
function personIn(token: string): Session {
  try {
    const part = (token.split(".")[1] ?? "").replace(/-/g, "+").replace(/_/g, "/");
    const bytes = Uint8Array.from(atob(part), (letter) => letter.charCodeAt(0));
    const claims = JSON.parse(new TextDecoder().decode(bytes)) as Claims;
    return {
      name: claims.preferred_username ?? claims.sub ?? "unknown user",
      fullName: claims.name ?? claims.preferred_username ?? null,
      email: claims.email ?? null,
      roles: claims.realm_access?.roles ?? [],
    };
  } catch {
    return { name: "unknown user", fullName: null, email: null, roles: [] };
  }
}

interface Claims {
  sub?: string;
  preferred_username?: string;
  name?: string;
  email?: string;
  realm_access?: { roles?: string[] };
}
