/** Who is signed in, and the client of the API that belongs to this person. */

import { createContext, useContext, useEffect, useMemo, useState, useSyncExternalStore, type ReactNode } from "react";
import { Provider } from "urql";

import { openClient } from "../api/client";
import { report } from "../api/connection";
import { reportClosed } from "../api/pushes";
import { loginAddress, Sessions, type Session } from "../session";
import { loadSettings, type Settings } from "../settings";
import { openSocket } from "../socket";

export interface SessionState {
  /** Null if the person is signed out, and while `isKnown` is false. */
  session: Session | null;
  /** Whether the server has said who is signed in. */
  isKnown: boolean;
  /** Whether the session has ended without a sign-out. */
  isLost: boolean;
  /** Goes to the login page, which returns to this page. */
  signIn(): void;
  signOut(): Promise<void>;
  /** Signs in a demo user of the development issuer, in this tab only. */
  signInAs(name: string): Promise<void>;
}

const Current = createContext<SessionState | null>(null);

const settings = loadSettings();
let reportLoss = (): void => undefined;
const sessions = Sessions.start(settings, () => reportLoss());
const socket = openSocket(sessions);
socket.on("connected", () => {
  report("socket", true);
  report("live", true);
});
socket.on("closed", (event) => reportClosed((event as CloseEvent).wasClean && (event as CloseEvent).code === 1000));

export function useSession(): SessionState {
  const state = useContext(Current);
  if (!state) throw new Error("useSession needs a SessionProvider");
  return state;
}

/** Returns the settings of the server, or null until they have arrived. */
export function useSettings(): Settings | null {
  const [loaded, setLoaded] = useState<Settings | null>(null);
  useEffect(() => {
    settings.then(setLoaded, () => undefined); // a page without them works, except for demo users
  }, []);
  return loaded;
}

export function SessionProvider({ children }: { children: ReactNode }): ReactNode {
  const session = useSyncExternalStore(sessions.subscribe, sessions.current);
  const isKnown = useSyncExternalStore(sessions.subscribe, sessions.isKnown);
  const [isLost, setIsLost] = useState(false);
  reportLoss = () => setIsLost(true);
  const person = usePerson(isKnown, session);
  const client = useMemo(() => openClient(sessions, socket), [person]);
  const state: SessionState = {
    session,
    isKnown,
    isLost: isLost && !session,
    signIn: () => location.assign(loginAddress()),
    signOut: () => sessions.signOut(),
    signInAs: (name) => sessions.signInAs(name),
  };
  return (
    <Current value={state}>
      <Provider value={client}>{children}</Provider>
    </Current>
  );
}

/**
 * Changes when another person signs in or out. The first answer changes nothing: the requests that
 * were sent before it had the same cookie.
 */
function usePerson(isKnown: boolean, session: Session | null): number {
  const name = session?.name ?? "";
  const [known, setKnown] = useState<{ name: string; count: number } | null>(null);
  if (isKnown && known?.name !== name) setKnown({ name, count: known ? known.count + 1 : 0 });
  return known?.count ?? 0;
}
