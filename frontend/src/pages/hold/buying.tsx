/** Tickets that are being bought: the order waits for its payment. */

import { useEffect, useState, type ReactNode } from "react";

import { LinkButton } from "../../components/button";
import { Clock } from "../../components/clock";
import { PageTitle } from "../../components/pageTitle";
import { Spinner } from "../../components/spinner";
import { ContactForm, type ContactFormProps } from "./contactForm";
import { HoldLines } from "./held";
import { useT } from "./messages";
import { RefusalNotice } from "./refusalNotice";
import { useUnfinishedPurchase } from "./usePurchase";

/** Another tab or device has had enough time to finish its purchase. */
const LATE_MS = 5_000;

export function Buying({ concert, hold, onRefused }: ContactFormProps): ReactNode {
  const t = useT();
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
        <Unfinished concert={concert} hold={hold} onRefused={onRefused} />
      )}
    </div>
  );
}

/** The order is being recorded, or its purchase was interrupted. */
function Unfinished({ concert, hold, onRefused }: ContactFormProps): ReactNode {
  const t = useT();
  const { isOwn, problem } = useUnfinishedPurchase(hold.id, onRefused);
  const isLate = useIsLate();
  if (!isOwn && isLate) return <ContactForm concert={concert} hold={hold} onRefused={onRefused} />;
  return (
    <>
      <p role="status">
        <Spinner /> {t("loading")}
      </p>
      {problem && <RefusalNotice problem={problem} concert={concert} />}
    </>
  );
}

function useIsLate(): boolean {
  const [isLate, setLate] = useState(false);
  useEffect(() => {
    const timer = setTimeout(() => setLate(true), LATE_MS);
    return () => clearTimeout(timer);
  }, []);
  return isLate;
}
