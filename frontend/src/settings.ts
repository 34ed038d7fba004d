/** The settings that the server provides to its pages (web/pages/files.py). */

export interface DemoPerson {
  name: string;
  role: string;
}

export interface Settings {
  /** The issuer at which the page itself signs in the demo users. */
  issuer: string;
  clientId: string;
  /** Empty unless the server runs its own development issuer. */
  demoPeople: DemoPerson[];
}

export async function loadSettings(): Promise<Settings> {
  const response = await fetch("/pages/settings.json");
  if (!response.ok) throw new Error(`/pages/settings.json answered ${response.status}`);
  return (await response.json()) as Settings;
}
