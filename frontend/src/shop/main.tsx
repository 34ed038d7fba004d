/** Starts the shop. */

import "../styles/tokens.css";
import "../styles/base.css";
import "../components/components.css";
import "../components/display.css";
import "./layout.css";

import { StrictMode, Suspense } from "react";
import { createRoot } from "react-dom/client";

import { AnnouncerProvider } from "../components/announce";
import { applyToDocument } from "../messages/i18n";
import { Layout } from "./layout";
import { Routes } from "./routes";
import { SessionProvider } from "./session";
import { applyTheme } from "./theme";

applyTheme();
applyToDocument();

const container = document.getElementById("page");
if (!container) throw new Error("index.html has no element with the id `page`");
createRoot(container).render(
  <StrictMode>
    <SessionProvider>
      <Suspense>
        <AnnouncerProvider>
          <Layout>
            <Routes />
          </Layout>
        </AnnouncerProvider>
      </Suspense>
    </SessionProvider>
  </StrictMode>,
);
