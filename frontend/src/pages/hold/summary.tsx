/** The choice and its total, which stay in view, and the button that holds the tickets. */

import type { ReactNode } from "react";

import { Button } from "../../components/button";
import { Money } from "../../components/money";
import { useFormat } from "../../messages/format";
import { countOf, linesOf, totalOf, type Quantities } from "./choice";
import { useT, type Translate } from "./messages";
import type { Concert } from "./stage";

export interface SummaryProps {
  concert: Concert;
  quantities: Quantities;
  isPending: boolean;
  /** Whether the person has a hold that the choice would replace. */
  isChange: boolean;
  isSignedIn: boolean;
  onHold: () => void;
  onCancel: () => void;
  /** Why the last attempt was refused: here, because the person looks at the button. */
  children: ReactNode;
}

export function Summary(props: SummaryProps): ReactNode {
  const { concert, quantities, isChange } = props;
  const t = useT();
  const format = useFormat();
  const count = countOf(quantities);
  const total = totalOf(quantities, concert.tiers);
  const names = new Map(concert.tiers.map((tier) => [tier.id, tier]));
  const action = !props.isSignedIn ? t("choose.signIn") : isChange ? t("change.button") : t("choose.button");
  return (
    <aside className="hold-summary" aria-labelledby="hold-summary">
      {props.children}
      <div className="hold-summary-words">
        <h2 className="hold-summary-title" id="hold-summary">
          {t("summary.title")}
        </h2>
        <ul className="hold-summary-lines" role="list">
          {linesOf(quantities, concert.tiers).map(({ tierId, quantity }) => (
            <li key={tierId}>
              <span dir="auto">{`${format.number(quantity)} × ${names.get(tierId)?.name ?? ""}`}</span>
              <LineTotal tier={names.get(tierId)} quantity={quantity} />
            </li>
          ))}
        </ul>
        <p className="hold-total" role="status">
          <span>{t("summary.count", { count })}</span>
          <strong>{total && <Money value={total} />}</strong>
        </p>
      </div>
      <div className="hold-summary-actions">
        <Button isWide isPending={props.isPending} isDisabled={count === 0} onPress={props.onHold}>
          {action}
        </Button>
        {isChange && (
          <Button isWide variant="secondary" onPress={props.onCancel}>
            {t("change.keep")}
          </Button>
        )}
      </div>
      <p className="hold-summary-note">
        {isChange ? t("change.text") : t("choose.text", { time: durationWords(concert.holdDurationSeconds, t) })}
      </p>
    </aside>
  );
}

function durationWords(seconds: number, t: Translate): string {
  return seconds < 120 ? t("seconds", { count: seconds }) : t("minutes", { count: Math.floor(seconds / 60) });
}

function LineTotal({ tier, quantity }: { tier: Concert["tiers"][number] | undefined; quantity: number }): ReactNode {
  if (!tier) return null;
  const total = totalOf({ [tier.id]: quantity }, [tier]);
  return total && <Money value={total} />;
}
