/** The page at /graphql: GraphiQL with a signed-in user, and tabs that use a concert on sale. */

import "graphiql/setup-workers/vite";
import "graphiql/style.css";
import "./page.css";

import { createRoot } from "react-dom/client";

import { Sessions } from "../session";
import { loadSettings } from "../settings";
import { openSocket } from "../socket";
import { findDemoConcert } from "./concert";
import { exampleTabs } from "./examples";
import { makeFetcher } from "./fetcher";
import { Memory } from "./memory";
import { Page } from "./page";
import { tabStorage } from "./storage";

async function start(container: HTMLElement): Promise<void> {
  const [settings, concert] = await Promise.all([loadSettings(), findDemoConcert()]);
  const sessions = await Sessions.open(settings);
  const memory = new Memory(sessions.current);
  const socket = openSocket(sessions);
  const mutations = new EventTarget();
  let name = sessions.current()?.name;
  sessions.subscribe(() => {
    const next = sessions.current()?.name;
    if (next !== name) memory.forget();
    name = next;
  });
  createRoot(container).render(
    <Page
      settings={settings}
      sessions={sessions}
      socket={socket}
      concert={concert}
      fetcher={makeFetcher(sessions, socket, memory, mutations)}
      mutations={mutations}
      tabs={exampleTabs(concert)}
      storage={tabStorage(concert)}
    />,
  );
}

const container = document.getElementById("page");
if (!container) throw new Error("graphiql.html has no element with the id `page`");
start(container).catch((error: unknown) => {
  container.textContent = `This page cannot start: ${String(error)}. Check that the server runs, then reload.`;
});
