/** Held tickets: their clock, the contact data, and the way to the payment. */

import { useEffect, useState, type ReactNode } from "react";

import type { Problem } from "../../api/outcome";
import { useSecondsUntil } from "../../api/serverClock";
import { useAnnounce } from "../../components/announce";
import { Button } from "../../components/button";
import { Clock } from "../../components/clock";
import { Dialog } from "../../components/dialog";
import { Money } from "../../components/money";
import { Notice } from "../../components/notice";
import { PageTitle } from "../../components/pageTitle";
import { useFormat } from "../../messages/format";
import { useRefusal } from "../../messages/refusals";
import type { Price } from "./choice";
import { ContactForm } from "./contactForm";
import { useT } from "./messages";
import type { Concert, Hold } from "./stage";
import { useHolding } from "./useHolding";
import { useKept } from "./useKept";

export interface HeldProps {
  concert: Concert;
  hold: Hold;
  onChange: () => void;
  /** The hold may have ended. */
  onEnd: () => void;
}

export function Held({ concert, hold, onChange, onEnd }: HeldProps): ReactNode {
  const t = useT();
  useWarnings(hold.expiresAt);
  return (
    <>
      <PageTitle documentTitle={t("held.documentTitle", { name: concert.name })}>{t("held.title")}</PageTitle>
      <div className="hold-columns">
        <div className="hold-main">
          <NewPrices concert={concert} hold={hold} />
          <ContactForm concert={concert} hold={hold} onRefused={onEnd} />
        </div>
        <aside className="hold-summary hold-summary-held" aria-labelledby="hold-summary">
          <p className="hold-clock">
            <span>{t("held.clock")}</span>
            <Clock until={hold.expiresAt} label={t("held.clock")} />
          </p>
          <div className="hold-summary-words">
            <h2 className="hold-summary-title" id="hold-summary">
              {t("held.yours")}
            </h2>
            <HoldLines hold={hold} />
          </div>
          <div className="hold-summary-actions">
            <Button isWide variant="secondary" onPress={onChange}>
              {t("held.change")}
            </Button>
            <GiveBack concert={concert} hold={hold} onEnd={onEnd} />
          </div>
        </aside>
      </div>
    </>
  );
}

export function HoldLines({ hold }: { hold: Hold }): ReactNode {
  const t = useT();
  const format = useFormat();
  return (
    <>
      <ul className="hold-summary-lines" role="list">
        {hold.lines.map(({ tierId, quantity, tier, total }) => (
          <li key={tierId}>
            <span dir="auto">{`${format.number(quantity)} × ${tier?.name ?? ""}`}</span>
            <Money value={total as Price} />
          </li>
        ))}
      </ul>
      <p className="hold-total">
        <span>{t("summary.total")}</span>
        <strong>
          <Money value={hold.total as Price} />
        </strong>
      </p>
    </>
  );
}

/** A price may change between the look and the hold. The hold has the price that is paid. */
function NewPrices({ concert, hold }: { concert: Concert; hold: Hold }): ReactNode {
  const t = useT();
  const format = useFormat();
  const [seen] = useKept<Record<string, Price>>(`onsale.prices.${concert.id}`, {});
  const changed = hold.lines.filter(({ tierId, unitPrice }) => {
    const before = seen[tierId];
    return before !== undefined && before.minor !== unitPrice.minor;
  });
  if (changed.length === 0) return null;
  return (
    <Notice tone="warning" title={t("price.changed")}>
      {changed.map(({ tierId, tier, unitPrice }) => (
        <p key={tierId}>
          {t("price.held", {
            tier: tier?.name ?? "",
            from: format.money(seen[tierId]?.amount ?? "", unitPrice.currency),
            to: format.money(unitPrice.amount, unitPrice.currency),
          })}
        </p>
      ))}
    </Notice>
  );
}

function GiveBack({ concert, hold, onEnd }: Omit<HeldProps, "onChange">): ReactNode {
  const t = useT();
  const refusal = useRefusal();
  const announce = useAnnounce();
  const holding = useHolding(concert);
  const [isOpen, setOpen] = useState(false);
  const [problem, setProblem] = useState<Problem | null>(null);

  async function release(): Promise<void> {
    setProblem(null);
    const outcome = await holding.release(hold.id);
    if (outcome.problem) {
      setProblem(outcome.problem);
      if (outcome.problem.code !== "UNREACHABLE") onEnd();
      return;
    }
    setOpen(false);
    announce(t("release.announce"));
    onEnd();
  }

  return (
    <>
      <Button isWide variant="quiet" onPress={() => setOpen(true)}>
        {t("release.label")}
      </Button>
      <Dialog
        isOpen={isOpen}
        onClose={() => setOpen(false)}
        title={t("release.title")}
        actions={
          <>
            <Button variant="secondary" onPress={() => setOpen(false)}>
              {t("release.keep")}
            </Button>
            <Button variant="danger" isPending={holding.isPending} onPress={() => void release()}>
              {t("release.confirm")}
            </Button>
          </>
        }
      >
        <p>{t("release.text")}</p>
        {problem && <Notice tone="danger">{refusal(problem)}</Notice>}
      </Dialog>
    </>
  );
}

const WARNINGS_S = [120, 60, 30];

/** Says aloud how much time is left, three times and not each second. */
function useWarnings(expiresAt: string): void {
  const t = useT();
  const announce = useAnnounce();
  const seconds = useSecondsUntil(expiresAt) ?? 0;
  const due = WARNINGS_S.findLast((limit) => seconds <= limit) ?? null;
  const [told, setTold] = useState<number | null>(due);
  const words = due === null ? "" : t("held.warning", { count: due });
  useEffect(() => {
    if (due === null || due === told) return;
    setTold(due);
    announce(words, due === WARNINGS_S.at(-1) ? "assertive" : "polite");
  }, [due, told, words, announce]);
}
