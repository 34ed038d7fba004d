/** A concert without a queue to wait in: it needs none, or its sale is not on. */

import type { ReactNode } from "react";

import { LinkButton } from "../../components/button";
import { PageTitle } from "../../components/pageTitle";
import { Tickets } from "./aside";
import { useT } from "./messages";
import type { Queue } from "./useQueue";

export function Closed({ queue }: { queue: Queue }): ReactNode {
  const t = useT();
  const { concert, stage } = queue;
  if (!concert) return null;
  if (stage === "noQueue") {
    return (
      <div className="queue-body">
        <div className="queue-main">
          <PageTitle>{t("noQueue.title")}</PageTitle>
          <p className="queue-ahead">{t("noQueue.text")}</p>
          <LinkButton href={`/concerts/${concert.slug}/tickets`}>{t("turn.button")}</LinkButton>
        </div>
        <aside className="queue-aside">
          <Tickets concert={concert} />
        </aside>
      </div>
    );
  }
  const key = stage === "canceled" ? "canceled" : stage === "notPublished" ? "notPublished" : "saleOver";
  return (
    <div className="queue-end">
      <PageTitle>{t(`${key}.title`)}</PageTitle>
      <p className="queue-ahead">{t(`${key}.text`)}</p>
      <div className="queue-actions">
        <LinkButton href="/">{t("notFound.action")}</LinkButton>
        <LinkButton variant="secondary" href="/tickets">
          {t("toTickets")}
        </LinkButton>
      </div>
    </div>
  );
}
