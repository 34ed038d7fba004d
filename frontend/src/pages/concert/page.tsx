/** One concert: what it is, what its tickets cost, and the one thing to do next. */

import "./page.css";

import { useCallback, type ReactNode } from "react";
import { useQuery, useSubscription } from "urql";

import { useRefreshOnReturn, useRefreshWhileStopped, useRetryWhenOnline } from "../../api/connection";
import type { ConcertQuery } from "../../api/generated/graphql";
import { Button, LinkButton } from "../../components/button";
import { DateTime } from "../../components/dateTime";
import { Notice } from "../../components/notice";
import { PageTitle } from "../../components/pageTitle";
import { Poster } from "../../components/poster";
import { Skeleton } from "../../components/skeleton";
import { Facts } from "./facts";
import { useT } from "./messages";
import { NextStep } from "./nextStep";
import { Concert, SaleChanges } from "./operations";
import { Tiers } from "./tiers";

export type ConcertData = NonNullable<ConcertQuery["concert"]>;

const POSTER_SIZES = "(min-width: 60rem) 28rem, 100vw";

export default function ConcertPage({ slug }: { slug: string }): ReactNode {
  const [{ data, error, fetching }, ask] = useQuery({ query: Concert, variables: { slug } });
  const retry = useCallback(() => ask({ requestPolicy: "network-only" }), [ask]);
  useRefreshOnReturn(retry);
  useRefreshWhileStopped(retry);
  useRetryWhenOnline(error !== undefined && !data?.concert, retry);
  const concert = data?.concert;
  useSubscription({
    query: SaleChanges,
    variables: { id: concert?.id ?? "" },
    // A closed concert can still be canceled.
    pause: concert?.status !== "PUBLISHED" && concert?.status !== "CLOSED",
  });
  if (concert) return <Details concert={concert} />;
  if (fetching) return <Loading />;
  return error ? <Failed onRetry={retry} /> : <Missing />;
}

function Details({ concert }: { concert: ConcertData }): ReactNode {
  return (
    <article className="page concert">
      <header className="concert-head">
        <ConcertTitle concert={concert} />
      </header>
      <div className="concert-poster">
        <Poster image={concert.image} id={concert.id} name={concert.name} sizes={POSTER_SIZES} isFirst />
      </div>
      <div className="concert-main">
        <NextStep concert={concert} />
        <p className="concert-description" dir="auto">
          {concert.description}
        </p>
        <Tiers concert={concert} />
        <Facts concert={concert} />
      </div>
    </article>
  );
}

function ConcertTitle({ concert }: { concert: ConcertData }): ReactNode {
  const t = useT();
  const { name, artist, genre, startsAt, venue } = concert;
  const isInName = artist !== null && name.startsWith(artist);
  return (
    <>
      {genre && <p className="concert-kind">{t(`genre.${genre}`)}</p>}
      <PageTitle>{name}</PageTitle>
      {artist && !isInName && (
        <p className="concert-artist">
          <bdi>{artist}</bdi>
        </p>
      )}
      <p className="concert-when">
        <DateTime value={startsAt} timeZone={venue.timeZone} format="dateTime" />
        <bdi>
          {venue.name}, {venue.city}
        </bdi>
      </p>
    </>
  );
}

function Loading(): ReactNode {
  return (
    <div className="page concert">
      <header className="concert-head">
        <Skeleton lines={2} />
      </header>
      <div className="concert-poster">
        <span className="poster" />
      </div>
    </div>
  );
}

function Failed({ onRetry }: { onRetry(): void }): ReactNode {
  const t = useT();
  return (
    <div className="page page-narrow">
      <PageTitle>{t("failed.title")}</PageTitle>
      <Notice tone="danger" actions={<Button onPress={onRetry}>{t("tryAgain")}</Button>}>
        {t("failed.text")}
      </Notice>
    </div>
  );
}

function Missing(): ReactNode {
  const t = useT();
  return (
    <div className="page page-narrow">
      <PageTitle>{t("missing.title")}</PageTitle>
      <p className="lead">{t("missing.text")}</p>
      <LinkButton href="/">{t("notFound.action")}</LinkButton>
    </div>
  );
}
