/** Says things to screen readers that only appear on the screen, through one pair of live regions. */

import { createContext, useCallback, useContext, useState, type ReactNode } from "react";

type Politeness = "polite" | "assertive";
type Announce = (text: string, politeness?: Politeness) => void;

const Announcer = createContext<Announce>(() => undefined);

export function useAnnounce(): Announce {
  return useContext(Announcer);
}

export function AnnouncerProvider({ children }: { children: ReactNode }): ReactNode {
  const [said, setSaid] = useState({ polite: "", assertive: "" });
  const announce = useCallback<Announce>((text, politeness = "polite") => {
    // A region that already contains the text would stay silent, so the same text is made different.
    setSaid((before) => ({ ...before, [politeness]: before[politeness] === text ? `${text}\u00a0` : text }));
  }, []);
  return (
    <Announcer value={announce}>
      {children}
      <div className="visually-hidden" aria-live="polite">
        {said.polite}
      </div>
      <div className="visually-hidden" aria-live="assertive">
        {said.assertive}
      </div>
    </Announcer>
  );
}
