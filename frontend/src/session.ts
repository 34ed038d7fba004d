/**
 * The signed-in user. The issuer's tokens are kept only for this browser tab and renewed before
 * they expire, so two tabs can have two users.
 */

import { fetchFrom } from "./network";
import type { Settings } from "./settings";

/** RFC 6749, section 5.1. */
export interface TokenAnswer {
  access_token: string;
  expires_in: number;
  refresh_token?: string;
  id_token?: string;
}

export interface Session {
  name: string;
  /** The name to print on tickets, or null if the token has none. */
  fullName: string | null;
  email: string | null;
  roles: string[];
  accessToken: string;
  refreshToken: string | null;
  /** Set after a login on the issuer's page, so that the user can be signed out there too. */
  idToken: string | null;
  /** The expiry in Unix milliseconds, by this machine's clock. */
  expiresAt: number;
  /** When the token is to be renewed, in Unix milliseconds: before it expires. */
  renewAt: number;
}

const SESSION_KEY = "onsale.session";
/** The key under which /login/callback stores the tokens (auth/login.py). */
const NEW_TOKENS_KEY = "onsale.signed-in";
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

export class Sessions {
  #current: Session | null = null;
  #listeners = new Set<() => void>();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #renewing: Promise<void> | null = null;
  #renewedAt = Number.NEGATIVE_INFINITY;
  #endpoints: Promise<Endpoints> | null = null;
  readonly #settings: Settings;

  constructor(settings: Settings) {
    this.#settings = settings;
    this.#adopt(takeNewTokens() ?? readStoredSession());
  }

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  readonly current = (): Session | null => this.#current;

  /** Returns a token that is valid long enough for a request, or null if no user is signed in. */
  async accessToken(): Promise<string | null> {
    if (this.#current && this.#nextRenewal(this.#current) <= Date.now()) await this.#renew();
    return this.#current?.accessToken ?? null;
  }

  /** Signs in a demo user of the development issuer, whose password is the user name. */
  async signInAs(name: string): Promise<void> {
    const answer = await this.#ask({ grant_type: "password", username: name, password: name });
    this.#adopt(sessionOf(answer));
  }

  async signOut(): Promise<void> {
    const idToken = this.#current?.idToken;
    this.#adopt(null);
    const endSession = idToken ? (await this.#discover()).end_session_endpoint : undefined;
    if (!idToken || !endSession) return;
    const back = { id_token_hint: idToken, post_logout_redirect_uri: new URL("/graphql", location.href).href };
    location.assign(`${endSession}?${new URLSearchParams(back)}`);
  }

  #adopt(session: Session | null): void {
    this.#current = session;
    if (session) sessionStorage.setItem(SESSION_KEY, JSON.stringify(session));
    else sessionStorage.removeItem(SESSION_KEY);
    this.#planRenewal();
    for (const listener of this.#listeners) listener();
  }

  #planRenewal(): void {
    clearTimeout(this.#timer);
    if (!this.#current) return;
    const delayMs = Math.max(this.#nextRenewal(this.#current) - Date.now(), 0);
    this.#timer = setTimeout(() => void this.#renew(), delayMs);
  }

  #nextRenewal(session: Session): number {
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
    const before = this.#current;
    if (!before) return;
    this.#renewedAt = Date.now();
    try {
      if (!before.refreshToken) throw new Refused("it cannot be renewed");
      const answer = await this.#ask({ grant_type: "refresh_token", refresh_token: before.refreshToken });
      // If the user signed in or out during the request, this result is dropped.
      if (this.#current === before) this.#adopt({ ...sessionOf(answer), idToken: answer.id_token ?? before.idToken });
    } catch (error) {
      if (this.#current !== before) return;
      if (error instanceof Refused) this.#adopt(null);
      else this.#planRenewal(); // the issuer is unavailable for now
    }
  }

  async #ask(grant: Record<string, string>): Promise<TokenAnswer> {
    const { token_endpoint } = await this.#discover();
    const body = new URLSearchParams({ client_id: this.#settings.clientId, ...grant });
    const response = await fetchFrom("The issuer", token_endpoint, { method: "POST", body });
    if (response.status >= 400 && response.status < 500) throw new Refused(await response.text());
    if (!response.ok) throw new Error(`The issuer answered ${response.status}; try again.`);
    return (await response.json()) as TokenAnswer;
  }

  #discover(): Promise<Endpoints> {
    this.#endpoints ??= discover(this.#settings.issuer).catch((error: unknown) => {
      this.#endpoints = null;
      throw error;
    });
    return this.#endpoints;
  }
}

class Refused extends Error {}

interface Endpoints {
  token_endpoint: string;
  end_session_endpoint?: string;
}

async function discover(issuer: string): Promise<Endpoints> {
  const response = await fetchFrom("The issuer", `${issuer.replace(/\/$/, "")}/.well-known/openid-configuration`);
  if (!response.ok) throw new Error(`The issuer answered ${response.status}; try again.`);
  return (await response.json()) as Endpoints;
}

function sessionOf(answer: TokenAnswer): Session {
  const lifetimeMs = answer.expires_in * 1_000;
  const expiresAt = Date.now() + lifetimeMs;
  return {
    ...personIn(answer.access_token),
    accessToken: answer.access_token,
    refreshToken: answer.refresh_token ?? null,
    idToken: answer.id_token ?? null,
    expiresAt,
    renewAt: expiresAt - Math.min(RENEW_EARLY_MS, lifetimeMs / 3),
  };
}

/** Reads the name, the email address and the roles to show. The server verifies the token. */
function personIn(token: string): Pick<Session, "name" | "fullName" | "email" | "roles"> {
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

function takeNewTokens(): Session | null {
  const text = sessionStorage.getItem(NEW_TOKENS_KEY);
  sessionStorage.removeItem(NEW_TOKENS_KEY);
  return text ? sessionOf(JSON.parse(text) as TokenAnswer) : null;
}

function readStoredSession(): Session | null {
  const text = sessionStorage.getItem(SESSION_KEY);
  return text ? (JSON.parse(text) as Session) : null;
}
