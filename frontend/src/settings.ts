/** What the server says about itself to its pages (web/pages.py). */

export interface DemoPerson {
  name: string;
  role: string;
}

export interface Settings {
  issuer: string;
  clientId: string;
  /** Empty unless the issuer is the server's own, of development. */
  demoPeople: DemoPerson[];
}

export async function loadSettings(): Promise<Settings> {
  const response = await fetch("/pages/settings.json");
  if (!response.ok) throw new Error(`/pages/settings.json answered ${response.status}`);
  return (await response.json()) as Settings;
}
