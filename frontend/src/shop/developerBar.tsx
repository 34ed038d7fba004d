/** In development: signs in a demo user with one click, and leads to the tools. Absent in production. */

import "./developerBar.css";

import { useState, type MouseEvent, type ReactNode } from "react";

import { useAnnounce } from "../components/announce";
import { useT } from "../messages/i18n";
import type { DemoPerson, DeveloperLinks } from "../settings";
import { useSession, useSettings } from "./session";

const CHOICE_KEY = "onsale.developer-bar";
/** On a narrow screen the bar is closed until it is opened. */
const WIDE = "(min-width: 60rem)";

export function DeveloperBar(): ReactNode {
  const t = useT();
  const settings = useSettings();
  const [isOpen, setIsOpen] = useState(wasOpen);
  if (!settings?.developer) return null;
  const choose = (open: boolean): void => {
    localStorage.setItem(CHOICE_KEY, open ? "open" : "closed");
    setIsOpen(open);
  };
  // The event "toggle" comes later than the click: a page that is left at once would forget the choice.
  const toggle = (event: MouseEvent): void => {
    event.preventDefault();
    choose(!isOpen);
  };
  return (
    <aside className="developer-bar" aria-label={t("developer.title")}>
      <details open={isOpen} onToggle={(event) => event.currentTarget.open !== isOpen && choose(event.currentTarget.open)}>
        <summary onClick={toggle}>{t("developer.title")}</summary>
        <div className="developer-tools">
          {settings.demoPeople.length > 0 && <People people={settings.demoPeople} />}
          <Links links={settings.developer} />
        </div>
      </details>
    </aside>
  );
}

function People({ people }: { people: DemoPerson[] }): ReactNode {
  const t = useT();
  const { session, signInAs, signOut } = useSession();
  const announce = useAnnounce();
  const [failure, setFailure] = useState("");
  const toggle = async (name: string): Promise<void> => {
    setFailure("");
    try {
      if (session?.name === name) return await signOut();
      await signInAs(name);
      announce(t("session.signedInAs", { name }));
    } catch (error) {
      setFailure(error instanceof Error ? error.message : String(error));
    }
  };
  return (
    <div role="group" aria-label={t("session.demo")}>
      <span aria-hidden="true">{t("session.demo")}</span>
      {people.map(({ name, role }) => (
        <button
          key={name}
          type="button"
          title={role}
          aria-pressed={session?.name === name}
          onClick={() => void toggle(name)}
        >
          <bdi>{name}</bdi>
        </button>
      ))}
      {failure && <p role="alert">{failure}</p>}
    </div>
  );
}

function Links({ links: { graphiql, mailbox, sandbox } }: { links: DeveloperLinks }): ReactNode {
  const t = useT();
  return (
    <ul role="list">
      {graphiql && (
        <li>
          <a href={graphiql}>GraphiQL</a>
        </li>
      )}
      <li>
        <a href={mailbox}>{t("developer.mailbox")}</a>
      </li>
      {sandbox && (
        <li>
          <a href={sandbox}>{t("developer.sandbox")}</a>
        </li>
      )}
    </ul>
  );
}

function wasOpen(): boolean {
  const choice = localStorage.getItem(CHOICE_KEY);
  return choice ? choice === "open" : matchMedia(WIDE).matches;
}
