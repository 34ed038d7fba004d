import "./page.css";

import { useEffect, useState, type ReactNode } from "react";
import { useQuery } from "urql";

import { Button, LinkButton } from "../../components/button";
import { Notice } from "../../components/notice";
import { PageTitle } from "../../components/pageTitle";
import { Skeleton } from "../../components/skeleton";
import { useSession } from "../../shop/session";
import { AcceptForm, Refused } from "./acceptForm";
import { OfferedTicket as Offered, Until, type Offer } from "./offeredTicket";
import { OfferedTicket } from "./operations";
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

/** What is offered, and then what the person can do about it: sign in, accept, or learn why not. */
function Transfer({ token }: { token: string }): ReactNode {
  const { session, isKnown } = useSession();
  const [{ data, fetching }] = useQuery({ query: OfferedTicket, variables: { token }, pause: !isKnown });
  if (!isKnown || (fetching && !data)) return <Skeleton lines={3} hasTitle={false} />;
  // Without an answer, the acceptance itself says what is wrong.
  const offer = data?.ticketOffer;
  const reason = data && !offer ? "LINK_NOT_VALID" : (offer?.problem ?? null);
  return (
    <>
      {offer ? <Offered offer={offer} /> : !data && <Unknown />}
      {reason ? (
        <Refused problem={{ code: "TRANSFER_REFUSED", reason, message: "" }} />
      ) : session ? (
        <AcceptForm token={token} session={session} offer={offer} />
      ) : (
        <SignIn offer={offer} />
      )}
    </>
  );
}

function Unknown(): ReactNode {
  const t = useT();
  return <p className="lead">{t("accept.offered")}</p>;
}

function SignIn({ offer }: { offer: Offer | null | undefined }): ReactNode {
  const t = useT();
  const { signIn } = useSession();
  return (
    <>
      <p>
        {t("accept.signInText")} <Until offer={offer} />
      </p>
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
