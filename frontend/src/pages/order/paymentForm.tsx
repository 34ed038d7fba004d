import { useCallback, useEffect, useRef, useState, type FormEvent, type ReactNode } from "react";

import { useConnection } from "../../api/connection";
import { useAnnounce } from "../../components/announce";
import { Button } from "../../components/button";
import { Notice } from "../../components/notice";
import { useFormat } from "../../messages/format";
import type { Price } from "./money";
import { declineKey, type Payer, type Payment, type PaymentOutcome } from "./payment";
import { SandboxFields } from "./sandboxFields";
import { StripeFields } from "./stripeFields";
import { useT } from "./text";

const FIELDS: Record<string, typeof SandboxFields> = { SANDBOX: SandboxFields, STRIPE: StripeFields };

/** After these outcomes, no other card can pay the order, at least for now. */
const IS_FINAL: ReadonlySet<string> = new Set(["accepted", "canceled", "processing"]);

type Phase = "idle" | "sending" | PaymentOutcome["kind"];

export interface PaymentFormProps {
  payment: Payment;
  total: Price;
  /** Called when the provider knows more than the server may know. */
  onSent(): void;
  onBusy(isBusy: boolean): void;
}

/**
 * Pays an order. All attempts, in all tabs, are for the same intent of the provider, which takes
 * the money at most once.
 */
export function PaymentForm({ payment, total, onSent, onBusy }: PaymentFormProps): ReactNode {
  const t = useT();
  const format = useFormat();
  const isOffline = useConnection() === "offline";
  const { phase, decline, payer, setPayer, pay, follow } = usePayment(payment, onSent);
  const isUnderWay = phase === "sending" || phase === "accepted" || phase === "canceled";
  useEffect(() => onBusy(isUnderWay), [isUnderWay, onBusy]);

  const Fields = FIELDS[payment.provider];
  if (!Fields) {
    return (
      <Notice tone="danger" title={t("checkout.unknownProvider")}>
        {t("checkout.unknownProviderText")}
      </Notice>
    );
  }
  function submit(event: FormEvent): void {
    event.preventDefault();
    void pay();
  }
  return (
    <form className="payment" aria-labelledby="payment" onSubmit={submit} noValidate>
      <h2 id="payment">{t("payment.heading")}</h2>
      <div className="payment-fields" hidden={phase === "processing"}>
        <Fields payment={payment} onPayer={setPayer} onOutcome={follow} />
      </div>
      <PaymentState phase={phase} decline={decline} />
      {isOffline && <Notice tone="warning">{t("payment.offline")}</Notice>}
      {phase !== "processing" && (
        <Button type="submit" isWide isPending={isUnderWay} isDisabled={isOffline || (!payer && !isUnderWay)}>
          {isUnderWay
            ? t(phase === "sending" ? "payment.sending" : "payment.checking")
            : t("payment.pay", { amount: format.money(total.amount, total.currency) })}
        </Button>
      )}
      {payment.testPaymentUrl && phase !== "processing" && (
        <p className="soft">
          <a href={payment.testPaymentUrl} target="_blank" rel="noopener noreferrer">
            {t("sandbox.ownPage")}
          </a>
        </p>
      )}
    </form>
  );
}

/** What the last attempt has led to. */
function PaymentState({ phase, decline }: { phase: Phase; decline: Decline | null }): ReactNode {
  const t = useT();
  if (phase === "processing") return <Notice title={t("payment.processing")}>{t("payment.processingText")}</Notice>;
  if (phase === "accepted") return <Notice tone="success">{t("payment.confirmed")}</Notice>;
  if (phase === "unknown") {
    return (
      <Notice tone="warning" title={t("payment.unknown")}>
        {t("payment.unknownText")}
      </Notice>
    );
  }
  if (!decline || phase === "sending") return null;
  return (
    <Notice tone="danger" title={t("payment.declined")}>
      {t("payment.tryAnother", { reason: reasonOf(t, decline) })}
    </Notice>
  );
}

interface Decline {
  code: string;
  message?: string;
}

function reasonOf(t: ReturnType<typeof useT>, { code, message }: Decline): string {
  const key = declineKey(code);
  return key ? t(key) : (message ?? t("decline.default"));
}

function usePayment(payment: Payment, onSent: () => void) {
  const t = useT();
  const announce = useAnnounce();
  const [phase, setPhase] = useState<Phase>("idle");
  const [own, setOwn] = useState<Decline | null>(null);
  const [payer, setPayer] = useState<Payer | null>(null);
  const isBusy = useRef(false);

  const follow = useCallback(
    (outcome: PaymentOutcome) => {
      isBusy.current = IS_FINAL.has(outcome.kind);
      setPhase(outcome.kind);
      if (outcome.kind === "declined") {
        setOwn(outcome);
        announce(`${t("payment.declined")}. ${reasonOf(t, outcome)}`, "assertive");
        return;
      }
      if (outcome.kind === "processing") announce(t("payment.processing"));
      if (outcome.kind === "accepted") announce(t("payment.confirmed"));
      if (outcome.kind === "unknown") announce(t("payment.unknown"), "assertive");
      if (outcome.kind !== "incomplete") onSent();
    },
    [announce, onSent, t],
  );

  async function pay(): Promise<void> {
    // A state would be set too late for the second click of a double click.
    if (isBusy.current || !payer) return;
    isBusy.current = true;
    setPhase("sending");
    setOwn(null);
    follow(await payer.pay().catch((): PaymentOutcome => ({ kind: "unknown" })));
  }

  // The bank may decline a payment that it was processing. The server then says so.
  const last = payment.lastDecline;
  const seen = useRef(last?.at);
  useEffect(() => {
    if (!last || last.at === seen.current) return;
    seen.current = last.at;
    if (phase !== "idle" && phase !== "declined" && phase !== "sending") follow({ kind: "declined", code: last.code });
  }, [last, phase, follow]);

  return { phase, decline: own ?? last, payer, setPayer, pay, follow };
}
