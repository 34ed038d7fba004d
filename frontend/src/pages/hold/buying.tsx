/** Tickets that are being bought: the order waits for its payment. */

import type { ReactNode } from "react";

import { LinkButton } from "../../components/button";
import { Clock } from "../../components/clock";
import { PageTitle } from "../../components/pageTitle";
import { Spinner } from "../../components/spinner";
import { HoldLines } from "./held";
import { useT } from "./messages";
import type { Hold } from "./stage";

export function Buying({ hold }: { hold: Hold | null | undefined }): ReactNode {
  const t = useT();
  if (!hold) return null;
  const { order } = hold;
  return (
    <div className="hold-end">
      <PageTitle>{t("buying.title")}</PageTitle>
      <p className="lead">{order ? t("buying.text") : t("buying.recording")}</p>
      <p className="hold-clock">
        <span>{t("buying.clock")}</span>
        <Clock until={hold.expiresAt} label={t("buying.clock")} />
      </p>
      <div className="hold-end-lines">
        <HoldLines hold={hold} />
      </div>
      {order ? (
        <div className="hold-actions">
          <LinkButton href={`/orders/${order.id}/pay`} isDocument>
            {t("buying.pay")}
          </LinkButton>
          <LinkButton href={`/orders/${order.id}`} variant="secondary">
            {t("buying.order")}
          </LinkButton>
        </div>
      ) : (
        <p role="status">
          <Spinner /> {t("loading")}
        </p>
      )}
    </div>
  );
}
