import { useRef, useState, type ReactNode } from "react";
import { useMutation } from "urql";

import type { OrderFieldsFragment, TicketFieldsFragment } from "../../api/generated/graphql";
import { outcomeOf, type Problem } from "../../api/outcome";
import { useNow } from "../../api/serverClock";
import { useAnnounce } from "../../components/announce";
import { Button } from "../../components/button";
import { Checkbox } from "../../components/checkbox";
import { Dialog } from "../../components/dialog";
import { Notice } from "../../components/notice";
import { useFormat } from "../../messages/format";
import { useRefusal } from "../../messages/refusals";
import { moneyOf, type Price } from "./money";
import { RefundOrder } from "./operations";
import { useT } from "./text";

const MINUTE_MS = 60_000;
const PAID: ReadonlySet<string> = new Set(["PAID", "FULFILLED", "REFUND_PENDING"]);

/** Lets the buyer return tickets while the organizer allows it, and says until when. */
export function RefundTickets({ order }: { order: OrderFieldsFragment }): ReactNode {
  const t = useT();
  const format = useFormat();
  const now = useNow(MINUTE_MS);
  const [isOpen, setIsOpen] = useState(false);
  const tickets = order.tickets.filter(isRefundable);
  if (!PAID.has(order.status) || tickets.length === 0) return null;
  const until = order.concert?.refundsUntil ?? null;
  const date = until && format.dateTime(until, null, "dateTime");
  if (!until || !date) return <p className="soft">{t("refund.never")}</p>;
  if (Date.parse(until) <= now) return <p className="soft">{t("refund.tooLate", { date })}</p>;
  return (
    <div className="refund-offer">
      <p className="soft">{t("refund.until", { date })}</p>
      <Button variant="secondary" onPress={() => setIsOpen(true)}>
        {t("refund.button")}
      </Button>
      {isOpen && <RefundDialog order={order} tickets={tickets} onClose={() => setIsOpen(false)} />}
    </div>
  );
}

function isRefundable(ticket: TicketFieldsFragment): boolean {
  return ticket.state === "VALID" && !ticket.checkIn;
}

interface RefundDialogProps {
  order: OrderFieldsFragment;
  tickets: TicketFieldsFragment[];
  onClose(): void;
}

function RefundDialog({ order, tickets, onClose }: RefundDialogProps): ReactNode {
  const t = useT();
  const format = useFormat();
  const explain = useRefusal();
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set(tickets.length === 1 ? [tickets[0]?.id ?? ""] : []));
  const [isEmpty, setIsEmpty] = useState(false);
  const { refund, isPending, problem } = useRefund(order.id, onClose);
  // A ticket may have been refunded or checked in since the dialog was opened.
  const wanted = tickets.filter(({ id }) => chosen.has(id));
  const total = moneyOf(
    wanted.reduce((sum, ticket) => sum + priceOf(order, ticket).minor, 0),
    order.total,
  );
  const amount = format.money(total.amount, total.currency);

  function nameOf(ticket: TicketFieldsFragment): string {
    const index = format.number(order.tickets.indexOf(ticket) + 1);
    return t("refund.ticket", { index, tier: ticket.tier?.name ?? t("summary.tier"), holder: ticket.holderName });
  }
  function toggle(id: string): void {
    const next = new Set(chosen);
    if (!next.delete(id)) next.add(id);
    setChosen(next);
    setIsEmpty(false);
  }
  function confirm(): void {
    if (wanted.length === 0) setIsEmpty(true);
    else void refund(wanted.map(({ id }) => id), amount);
  }
  return (
    <Dialog
      isOpen
      onClose={onClose}
      title={t("refund.title")}
      actions={
        <>
          <Button variant="secondary" onPress={onClose}>
            {t("refund.close")}
          </Button>
          <Button variant="danger" isPending={isPending} onPress={confirm}>
            {wanted.length > 0 ? t("refund.confirm", { count: wanted.length, amount }) : t("refund.button")}
          </Button>
        </>
      }
    >
      <p>{t("refund.text")}</p>
      <div role="group" aria-label={t("refund.title")}>
        {tickets.map((ticket) => {
          const price = priceOf(order, ticket);
          return (
            <Checkbox key={ticket.id} isSelected={chosen.has(ticket.id)} onChange={() => toggle(ticket.id)}>
              <bdi>{nameOf(ticket)}</bdi>{" "}
              <span className="soft tabular">{format.money(price.amount, price.currency)}</span>
            </Checkbox>
          );
        })}
      </div>
      {isEmpty && (
        <p className="field-error" role="alert">
          {t("refund.choose")}
        </p>
      )}
      {problem && (
        <div role="alert">
          <Notice tone="danger" title={t("refund.failed")}>
            {explain(problem)}
          </Notice>
        </div>
      )}
    </Dialog>
  );
}

function priceOf(order: OrderFieldsFragment, ticket: TicketFieldsFragment): Price {
  const line = order.lines.find(({ tierId }) => tierId === ticket.tier?.id) ?? order.lines[0];
  return line?.unitPrice ?? order.total;
}

/** Refunds tickets. The same tickets have the same key until the server has answered. */
function useRefund(orderId: string, onDone: () => void) {
  const t = useT();
  const announce = useAnnounce();
  const [{ fetching }, run] = useMutation(RefundOrder);
  const [problem, setProblem] = useState<Problem | null>(null);
  const keys = useRef(new Map<string, string>());

  async function refund(tickets: string[], amount: string): Promise<void> {
    if (fetching) return;
    const chosen = tickets.join();
    const idempotencyKey = keys.current.get(chosen) ?? crypto.randomUUID();
    keys.current.set(chosen, idempotencyKey);
    const result = await run({ input: { orderId, tickets, idempotencyKey } });
    const outcome = outcomeOf(result, result.data?.refundOrder);
    setProblem(outcome.problem ?? null);
    if (!outcome.success) return;
    announce(t("refund.done", { count: tickets.length, amount }), "assertive");
    onDone();
  }
  return { refund, isPending: fetching, problem };
}
