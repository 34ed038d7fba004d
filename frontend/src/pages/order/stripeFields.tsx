import { useEffect, useRef, useState, type ReactNode } from "react";

import { Button } from "../../components/button";
import { Notice } from "../../components/notice";
import { Skeleton } from "../../components/skeleton";
import { useLanguage } from "../../messages/i18n";
import type { FieldsProps } from "./payment";
import { loadStripe, payWithStripe, readStripeIntent, removeRedirectParameters, type Elements } from "./stripe";
import { onThemeChange, readAppearance } from "./stripeAppearance";
import { useT } from "./text";

type State = "loading" | "ready" | "failed";

/** Stripe's Payment Element, into which the person enters the card. */
export function StripeFields({ payment, onPayer, onOutcome }: FieldsProps): ReactNode {
  const t = useT();
  const language = useLanguage();
  const [state, setState] = useState<State>("loading");
  const place = useRef<HTMLDivElement>(null);
  const elements = useRef<Elements>(null);

  useEffect(() => {
    let isOver = false;
    let close = (): void => undefined;
    removeRedirectParameters();
    setState("loading");
    async function open(): Promise<void> {
      const stripe = (await loadStripe())(payment.publishableKey, { locale: language });
      if (isOver || !place.current) return;
      const made = stripe.elements({ clientSecret: payment.clientSecret, appearance: readAppearance(), locale: language });
      const element = made.create("payment");
      element.on("ready", () => {
        setState("ready");
        onPayer({ pay: () => payWithStripe(stripe, made, payment.clientSecret) });
      });
      element.on("loaderror", () => setState("failed"));
      element.mount(place.current);
      elements.current = made;
      close = () => element.destroy();
      const outcome = await readStripeIntent(stripe, payment.clientSecret);
      if (outcome && !isOver) onOutcome(outcome);
    }
    open().catch(() => !isOver && setState((before) => (before === "ready" ? before : "failed")));
    return () => {
      isOver = true;
      onPayer(null);
      elements.current = null;
      close();
    };
    // The intent of an order never changes, and the callbacks are stable.
  }, [payment.intentId]);

  useEffect(() => elements.current?.update({ locale: language }), [language]);
  useEffect(() => onThemeChange(() => elements.current?.update({ appearance: readAppearance() })), []);

  return (
    <>
      {state === "loading" && (
        <div>
          <p className="soft">{t("stripe.loading")}</p>
          <Skeleton lines={4} hasTitle={false} />
        </div>
      )}
      {state === "failed" && (
        <Notice
          tone="danger"
          title={t("stripe.failed")}
          actions={
            <Button variant="secondary" onPress={() => location.reload()}>
              {t("stripe.retry")}
            </Button>
          }
        >
          {t("stripe.failedText")}
        </Notice>
      )}
      <div ref={place} className="stripe-element" />
      {state === "ready" && <p className="soft">{t("stripe.safe")}</p>}
    </>
  );
}
