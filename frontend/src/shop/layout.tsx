/** The frame of every page: header, notices that concern the whole shop, and footer. */

import { useEffect, useRef, type ReactNode } from "react";
import { Link, useLocation } from "wouter";

import { Button } from "../components/button";
import { ConnectionNotice } from "../components/connectionNotice";
import { ErrorBoundary } from "../components/errorBoundary";
import { Notice } from "../components/notice";
import { Select } from "../components/select";
import { activate, LANGUAGES, useLanguage, useT, type Language } from "../messages/i18n";
import { DeveloperBar } from "./developerBar";
import { useSession } from "./session";
import { chooseTheme, useTheme, type Theme } from "./theme";

export function Layout({ children }: { children: ReactNode }): ReactNode {
  const t = useT();
  const [path] = useLocation();
  useTopOfNewPage(path);
  return (
    <>
      <a className="skip-link" href="#content">
        {t("layout.skip")}
      </a>
      <Header />
      <main id="content" tabIndex={-1}>
        <ConnectionNotice />
        <SessionLost />
        <ErrorBoundary key={path}>{children}</ErrorBoundary>
      </main>
      <Footer />
      <DeveloperBar />
    </>
  );
}

function Header(): ReactNode {
  const t = useT();
  const [path] = useLocation();
  return (
    <header className="header">
      <Link href="/" className="wordmark">
        Onsale
      </Link>
      <nav aria-label={t("layout.navigation")}>
        <ul role="list">
          <li>
            <Link href="/" aria-current={path === "/" ? "page" : undefined}>
              {t("layout.concerts")}
            </Link>
          </li>
          <li>
            <Link href="/tickets" aria-current={path === "/tickets" ? "page" : undefined}>
              {t("layout.myTickets")}
            </Link>
          </li>
        </ul>
      </nav>
      <Account />
    </header>
  );
}

function Account(): ReactNode {
  const t = useT();
  const { session, isKnown, signIn, signOut } = useSession();
  if (!isKnown) return <div className="account" />;
  return (
    <div className="account">
      {session ? (
        <>
          <span className="account-name">
            <span className="visually-hidden">{t("session.signedInAs", { name: "" })}</span>
            {session.fullName ?? session.name}
          </span>
          <Button variant="quiet" onPress={() => void signOut()}>
            {t("session.signOut")}
          </Button>
        </>
      ) : (
        <Button variant="secondary" onPress={signIn}>
          {t("session.signIn")}
        </Button>
      )}
    </div>
  );
}

function SessionLost(): ReactNode {
  const t = useT();
  const { isLost, signIn } = useSession();
  if (!isLost) return null;
  return (
    <div className="page-notice" role="alert">
      <Notice
        tone="warning"
        title={t("session.lost.title")}
        actions={<Button onPress={signIn}>{t("session.signIn")}</Button>}
      >
        {t("session.lost.text")}
      </Notice>
    </div>
  );
}

function Footer(): ReactNode {
  const t = useT();
  const language = useLanguage();
  const theme = useTheme();
  const languages = Object.entries(LANGUAGES).map(([value, label]) => ({ value, label }));
  const themes = (["system", "light", "dark"] as const).map((value) => ({ value, label: t(`layout.theme.${value}`) }));
  return (
    <footer className="footer">
      <div className="footer-choices">
        <Select
          label={t("layout.language")}
          value={language}
          options={languages}
          onChange={(value) => void activate(value as Language)}
        />
        <Select
          label={t("layout.theme")}
          value={theme}
          options={themes}
          onChange={(value) => chooseTheme(value as Theme)}
        />
      </div>
    </footer>
  );
}

/** A new page begins at its top. Back and forward return to where the person was. */
function useTopOfNewPage(path: string): void {
  const isReturn = useRef(true);
  useEffect(() => {
    const onPop = (): void => {
      isReturn.current = true;
    };
    addEventListener("popstate", onPop);
    return () => removeEventListener("popstate", onPop);
  }, []);
  useEffect(() => {
    if (!isReturn.current) scrollTo(0, 0);
    isReturn.current = false;
  }, [path]);
}
