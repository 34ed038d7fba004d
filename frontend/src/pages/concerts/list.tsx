/** The list of concerts, page by page. */

import { useCallback, useEffect, useRef, useState, type ReactNode } from "react";
import { useQuery } from "urql";

import { useRefreshOnReturn, useRetryWhenOnline } from "../../api/connection";
import type { ConcertsQuery } from "../../api/generated/graphql";
import { useAnnounce } from "../../components/announce";
import { Button } from "../../components/button";
import { Notice } from "../../components/notice";
import { Card } from "./card";
import { isFiltered, useVariables, type Listing } from "./filter";
import { useT } from "./messages";
import { Concerts } from "./operations";

/** How many posters are likely to be visible at first. */
const FIRST_POSTERS = 4;

export function List({ listing }: { listing: Listing }): ReactNode {
  const starts = [undefined, ...listing.cursors];
  // The button that is pressed for a part goes away, so the focus moves on to its first concert.
  const [pressed, setPressed] = useState<string>();
  const showMore = (cursor: string): void => {
    setPressed(cursor);
    listing.showMore(cursor);
  };
  return (
    <div>
      {starts.map((after, index) => (
        <Part
          key={after ?? "first"}
          after={after}
          listing={{ ...listing, showMore }}
          isLast={index === starts.length - 1}
          takesFocus={after !== undefined && after === pressed}
        />
      ))}
    </div>
  );
}

interface PartProps {
  after: string | undefined;
  listing: Listing;
  isLast: boolean;
  takesFocus: boolean;
}

function Part({ after, listing, isLast, takesFocus }: PartProps): ReactNode {
  const t = useT();
  const variables = useVariables(listing.filter, after);
  const [{ data, error, fetching, stale }, ask] = useQuery({ query: Concerts, variables });
  const retry = useCallback(() => ask({ requestPolicy: "network-only" }), [ask]);
  useRefreshOnReturn(retry);
  useRetryWhenOnline(error !== undefined && !data, retry);
  const section = useRef<HTMLElement>(null);
  const hasData = data !== undefined;
  useEffect(() => {
    if (takesFocus && hasData) section.current?.querySelector<HTMLElement>("h2 a")?.focus({ preventScroll: true });
  }, [takesFocus, hasData]);
  useCountAnnouncement(after === undefined && !fetching ? data : undefined);
  if (!data) return error ? <Failed onRetry={retry} /> : <Placeholders />;
  const { nodes, pageInfo } = data.concerts;
  if (nodes.length === 0 && after === undefined) return <Nothing listing={listing} />;
  const next = isLast && pageInfo.hasNextPage ? pageInfo.endCursor : null;
  return (
    <section ref={section} className="part" aria-busy={fetching || stale} aria-label={t("list.label")}>
      <ul role="list" className="cards">
        {nodes.map((concert, index) => (
          <li key={concert.id}>
            <Card concert={concert} isFirst={after === undefined && index < FIRST_POSTERS} />
          </li>
        ))}
      </ul>
      {next && (
        <p className="more">
          <Button variant="secondary" onPress={() => listing.showMore(next)}>
            {t("list.more")}
          </Button>
        </p>
      )}
    </section>
  );
}

/** Says how many concerts were found, after each change of the filter. */
function useCountAnnouncement(data: ConcertsQuery | undefined): void {
  const t = useT();
  const announce = useAnnounce();
  const last = useRef<string>(undefined);
  const count = data?.concerts.totalCount;
  const text = count === undefined || count === null ? undefined : t("list.count", { count });
  useEffect(() => {
    if (text === undefined) return;
    if (last.current !== undefined && last.current !== text) announce(text);
    last.current = text;
  }, [text, announce]);
}

function Failed({ onRetry }: { onRetry(): void }): ReactNode {
  const t = useT();
  return (
    <Notice tone="danger" title={t("list.failed")} actions={<Button onPress={onRetry}>{t("tryAgain")}</Button>}>
      {t("list.failed.text")}
    </Notice>
  );
}

function Nothing({ listing: { filter, clear } }: { listing: Listing }): ReactNode {
  const t = useT();
  if (!isFiltered(filter)) return <p className="lead">{t("list.empty")}</p>;
  return (
    <div className="nothing">
      <h2>{t("nothing.title")}</h2>
      <p className="lead">{filter.search ? t("nothing.search", { text: filter.search }) : t("nothing.text")}</p>
      <Button onPress={clear}>{t("nothing.action")}</Button>
    </div>
  );
}

function Placeholders(): ReactNode {
  const t = useT();
  return (
    <div role="status" className="part">
      <span className="visually-hidden">{t("loading")}</span>
      <div className="cards" aria-hidden="true">
        {Array.from({ length: 8 }, (_, index) => (
          <div key={index} className="card">
            <span className="poster" />
            <span className="card-words">
              <span className="skeleton-line" />
              <span className="skeleton-line" />
            </span>
          </div>
        ))}
      </div>
    </div>
  );
}
