/** The settings that the server provides to its pages (web/pages/files.py). */

export interface DemoPerson {
  name: string;
  role: string;
}

/** Addresses of tools; null if the server does not have one. */
export interface DeveloperLinks {
  graphiql: string | null;
  mailbox: string;
  /** The payment sandbox, which lists its test cards. */
  sandbox: string | null;
}

export interface Settings {
  /** The issuer at which the page itself signs in the demo users. */
  issuer: string;
  clientId: string;
  /** Empty unless the server runs its own development issuer. */
  demoPeople: DemoPerson[];
  /** Null in production. */
  developer: DeveloperLinks | null;
}

export async function loadSettings(): Promise<Settings> {
  const response = await fetch("/pages/settings.json");
  if (!response.ok) throw new Error(`/pages/settings.json answered ${response.status}`);
  return (await response.json()) as Settings;
}
