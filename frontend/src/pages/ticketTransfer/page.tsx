import "./page.css";

import { useEffect, useState, type ReactNode } from "react";

import { Button, LinkButton } from "../../components/button";
import { Notice } from "../../components/notice";
import { PageTitle } from "../../components/pageTitle";
import { Skeleton } from "../../components/skeleton";
import { useSession } from "../../shop/session";
import { AcceptForm } from "./acceptForm";
import { takeToken } from "./transferLink";
import { useT } from "./text";

/** The page behind the link in the email about a ticket that was passed on. */
export default function TicketTransferPage(): ReactNode {
  const t = useT();
  const token = useToken();
  return (
    <div className="page page-narrow transfer-page">
      <PageTitle>{t("accept.title")}</PageTitle>
      {token ? <Transfer key={token} token={token} /> : <NoLink />}
    </div>
  );
}

/** Returns the token of the link, also of one that is opened while this page is shown. */
function useToken(): string | null {
  const [token, setToken] = useState(takeToken);
  useEffect(() => {
    const onLink = (): void => setToken(takeToken());
    addEventListener("hashchange", onLink);
    return () => removeEventListener("hashchange", onLink);
  }, []);
  return token;
}

function Transfer({ token }: { token: string }): ReactNode {
  const t = useT();
  const { session, isKnown, signIn } = useSession();
  if (!isKnown) return <Skeleton lines={3} hasTitle={false} />;
  if (session) return <AcceptForm token={token} session={session} />;
  return (
    <>
      <p className="lead">{t("accept.offered")}</p>
      <p>{t("accept.signInText")}</p>
      <p>
        <Button onPress={signIn}>{t("accept.signIn")}</Button>
      </p>
    </>
  );
}

function NoLink(): ReactNode {
  const t = useT();
  return (
    <Notice
      title={t("accept.noLink")}
      actions={
        <>
          <LinkButton href="/tickets">{t("accept.toTickets")}</LinkButton>
          <LinkButton href="/" variant="secondary">
            {t("accept.browse")}
          </LinkButton>
        </>
      }
    >
      {t("accept.noLinkText")}
    </Notice>
  );
}
