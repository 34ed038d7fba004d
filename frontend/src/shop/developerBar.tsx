/** In development: signs in demo users by name, and leads to the API. It is absent in production. */

import type { ReactNode } from "react";

import { Select } from "../components/select";
import { useT } from "../messages/i18n";
import { useSession, useSettings } from "./session";

export function DeveloperBar(): ReactNode {
  const t = useT();
  const settings = useSettings();
  const { session, signInAs } = useSession();
  if (!settings || settings.demoPeople.length === 0) return null;
  const people = settings.demoPeople.map(({ name, role }) => ({ value: name, label: `${name} (${role})` }));
  const current = people.some(({ value }) => value === session?.name) ? (session?.name ?? "") : "";
  return (
    <aside className="developer-bar" aria-label={t("layout.forDevelopers")}>
      <Select
        label={t("session.demo")}
        value={current}
        options={[{ value: "", label: t("session.demo.choose") }, ...people]}
        onChange={(name) => name && void signInAs(name)}
      />
      <a href="/graphql">{t("layout.forDevelopers")}</a>
    </aside>
  );
}
