/** All concerts, with search and filters. */

import "./page.css";

import type { ReactNode } from "react";
import { useQuery } from "urql";

import { PageTitle } from "../../components/pageTitle";
import { useListing, useVariables, isFiltered, type Listing } from "./filter";
import { Filters } from "./filters";
import { List } from "./list";
import { useT } from "./messages";
import { Concerts } from "./operations";

export default function ConcertsPage(): ReactNode {
  const t = useT();
  const listing = useListing();
  return (
    <div className="page concerts">
      <header className="concerts-head">
        <PageTitle>{t("title")}</PageTitle>
        <Count listing={listing} />
      </header>
      <Filters filter={listing.filter} setFilter={listing.setFilter} />
      <List listing={listing} />
    </div>
  );
}

function Count({ listing: { filter } }: { listing: Listing }): ReactNode {
  const t = useT();
  const variables = useVariables(filter, undefined);
  const [{ data }] = useQuery({ query: Concerts, variables, requestPolicy: "cache-only" });
  const count = data?.concerts.totalCount;
  if (count === undefined || count === null) return <p className="concerts-count">&nbsp;</p>;
  if (!data?.concerts.isTotalCountExact) return <p className="concerts-count">{t("count.many", { count })}</p>;
  return <p className="concerts-count">{t(isFiltered(filter) ? "list.count" : "count.all", { count })}</p>;
}
