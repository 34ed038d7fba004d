/**
 * Shows the signed-in user and a way to sign out or, before that, buttons for the demo users and a
 * link to the issuer's login page.
 */

import { type ReactElement, useState } from "react";

import type { Session, Sessions } from "../session";
import type { Settings } from "../settings";

interface PersonBarProps {
  settings: Settings;
  sessions: Sessions;
  session: Session | null;
}

const SHOWN_ROLES = ["customer", "organizer", "gate", "admin"];

export function PersonBar({ settings, sessions, session }: PersonBarProps): ReactElement {
  const [problem, setProblem] = useState<string | null>(null);
  const attempt = (action: Promise<void>): void => {
    setProblem(null);
    action.catch((error: unknown) => setProblem(error instanceof Error ? error.message : String(error)));
  };
  return (
    <div className="onsale-person">
      {problem && <span role="alert">{problem}</span>}
      {session ? (
        <>
          <span id="signed-in">
            Signed in as <strong>{session.name}</strong>
            {session.roles.filter((role) => SHOWN_ROLES.includes(role)).map((role) => `, ${role}`)}
          </span>
          <button type="button" onClick={() => attempt(sessions.signOut())}>
            Sign out
          </button>
        </>
      ) : (
        <>
          {settings.demoPeople.length > 0 && <span>Sign in as</span>}
          {settings.demoPeople.map(({ name, role }) => (
            <button key={name} type="button" title={role} onClick={() => attempt(sessions.signInAs(name))}>
              {name}
            </button>
          ))}
          <a href="/login?return=/graphql">{settings.demoPeople.length > 0 ? "or use the login page" : "Sign in"}</a>
        </>
      )}
    </div>
  );
}
