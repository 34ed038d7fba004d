/** The page: a bar with the status of the concert and the signed-in user, and GraphiQL below it. */

import type { Fetcher, Storage } from "@graphiql/toolkit";
import { GraphiQL } from "graphiql";
import type { Client } from "graphql-ws";
import { type ReactElement, useSyncExternalStore } from "react";

import type { Sessions } from "../session";
import type { Settings } from "../settings";
import type { DemoConcert } from "./concert";
import type { ExampleTab } from "./examples";
import { StatusLine } from "./live";
import { PersonBar } from "./person";

interface PageProps {
  settings: Settings;
  sessions: Sessions;
  socket: Client;
  concert: DemoConcert | null;
  fetcher: Fetcher;
  /** The target to which the fetcher dispatches MUTATION_ANSWERED. */
  mutations: EventTarget;
  tabs: ExampleTab[];
  storage: Storage;
}

export function Page(props: PageProps): ReactElement {
  const { settings, sessions, socket, concert, fetcher, mutations, tabs, storage } = props;
  const session = useSyncExternalStore(sessions.subscribe, sessions.current);
  return (
    <>
      <header className="onsale-bar">
        <a className="onsale-name" href="/">
          Onsale
        </a>
        {concert && (
          <StatusLine
            key={session?.name ?? ""}
            socket={socket}
            concert={concert}
            session={session}
            mutations={mutations}
          />
        )}
        <PersonBar settings={settings} sessions={sessions} session={session} />
      </header>
      <main>
        <GraphiQL
          fetcher={fetcher}
          defaultTabs={tabs}
          storage={storage}
          shouldPersistHeaders={false}
          defaultEditorToolsVisibility="variables"
        >
          <GraphiQL.Logo>{null}</GraphiQL.Logo>
        </GraphiQL>
      </main>
    </>
  );
}
