import { useEffect, useState, type ReactNode } from "react";

import { Notice } from "../../components/notice";
import type { FieldsProps } from "./payment";
import { COMMON_CARDS, OTHER_CARDS, payInSandbox, readSandboxIntent, type TestCard } from "./sandbox";
import { useT } from "./text";

/** The sandbox's test cards. */
export function SandboxFields({ payment, onPayer, onOutcome }: FieldsProps): ReactNode {
  const t = useT();
  const [card, setCard] = useState<TestCard>("pm_card_visa");
  useEffect(() => {
    onPayer({ pay: () => payInSandbox(payment, card) });
    return () => onPayer(null);
  }, [payment, card, onPayer]);
  useEffect(() => {
    readSandboxIntent(payment).then((outcome) => outcome && onOutcome(outcome), () => undefined);
    // The intent of an order never changes.
  }, [payment.intentId]);

  const choice = ([name, number]: readonly [TestCard, string]): ReactNode => (
    <label key={name} className="test-card">
      <input type="radio" name="card" value={name} checked={card === name} onChange={() => setCard(name)} />
      <span className="test-card-label">{t(`card.${name}`)}</span>
      <bdi className="test-card-number tabular">{number}</bdi>
    </label>
  );
  return (
    <>
      <Notice title={t("sandbox.notice")}>{t("sandbox.noticeText")}</Notice>
      <fieldset className="test-cards">
        <legend>{t("sandbox.card")}</legend>
        {COMMON_CARDS.map(choice)}
        <details>
          <summary>{t("sandbox.more")}</summary>
          {OTHER_CARDS.map(choice)}
        </details>
      </fieldset>
    </>
  );
}
