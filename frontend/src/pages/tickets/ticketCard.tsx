import "./ticketCard.css";

import { useState, type ReactNode } from "react";

import type { TicketFieldsFragment } from "../../api/generated/graphql";
import { Button } from "../../components/button";
import { useFormat } from "../../messages/format";
import { Downloads } from "./downloads";
import { QrCode } from "./qrCode";
import { TransferDialog } from "./transferDialog";
import { TransferOffer } from "./transferOffer";
import { useT } from "./text";

export interface ShownTicket extends TicketFieldsFragment {
  /** Null if the viewer does not hold the ticket, or it is not valid. */
  code: string | null;
  qrSvg: string | null;
  transfer: { email: string; expiresAt: string } | null;
}

export interface TicketCardProps {
  ticket: ShownTicket;
  /** The zone of the venue. */
  timeZone: string | null;
  /** Which of the tickets beside it this is, from 1. */
  index?: number;
  count?: number;
}

/** A ticket with its code, and what its holder can do with it. */
export function TicketCard({ ticket, timeZone, index = 1, count = 1 }: TicketCardProps): ReactNode {
  const t = useT();
  const format = useFormat();
  const { tier, holderName, state, code, qrSvg } = ticket;
  const isHeld = state === "VALID" && code !== null;
  const names = { index: format.number(index), tier: tier?.name ?? "", holder: holderName };
  return (
    <article className={isHeld ? "ticket" : "ticket ticket-dead"}>
      <div className="ticket-text">
        <h3>
          <bdi>{tier?.name}</bdi>
        </h3>
        {tier?.zone && <p>{tier.zone}</p>}
        <p>
          <bdi>{t("ticket.holder", { name: holderName })}</bdi>
        </p>
        <p className="soft tabular">
          {count > 1 && `${t("ticket.position", { index: format.number(index), count: format.number(count) })} · `}
          {t("ticket.order", { number: ticket.orderNumber })}
        </p>
        <TicketState ticket={ticket} timeZone={timeZone} />
        {isHeld && <TicketActions ticket={ticket} names={names} />}
      </div>
      {isHeld && qrSvg && <QrCode svg={qrSvg} label={t("ticket.code", names)} />}
    </article>
  );
}

function TicketState({ ticket, timeZone }: TicketCardProps): ReactNode {
  const t = useT();
  const format = useFormat();
  const { state, checkIn, code, holderName } = ticket;
  if (state === "VOID") return <Dead title={t("ticket.void")}>{t("ticket.voidText")}</Dead>;
  if (state === "SUSPENDED") return <Dead title={t("ticket.suspended")}>{t("ticket.suspendedText")}</Dead>;
  if (state !== "VALID") return <p>{t("ticket.unknownState")}</p>;
  if (checkIn) {
    const date = format.dateTime(checkIn.scannedAt, timeZone, "dateTime");
    return <p className="badge badge-plenty">{t("ticket.checkedIn", { date })}</p>;
  }
  if (code === null) return <p>{t("ticket.passedOn", { holder: holderName })}</p>;
  return null;
}

function Dead({ title, children }: { title: string; children: ReactNode }): ReactNode {
  return (
    <div>
      <p className="badge badge-off">{title}</p>
      <p className="soft">{children}</p>
    </div>
  );
}

type Names = Record<"index" | "tier" | "holder", string>;

function TicketActions({ ticket, names }: { ticket: ShownTicket; names: Names }): ReactNode {
  const t = useT();
  const [isPassedOn, setIsPassedOn] = useState(false);
  const canPassOn = !ticket.checkIn && !ticket.transfer;
  return (
    <>
      {ticket.transfer && <TransferOffer ticketId={ticket.id} offer={ticket.transfer} />}
      <div className="ticket-actions">
        <Downloads id={ticket.id} pdfLabel={t("download.pdfLabel", names)} />
        {canPassOn && (
          <Button variant="quiet" aria-label={t("transfer.buttonLabel", names)} onPress={() => setIsPassedOn(true)}>
            {t("transfer.button")}
          </Button>
        )}
      </div>
      {isPassedOn && <TransferDialog ticketId={ticket.id} onClose={() => setIsPassedOn(false)} />}
    </>
  );
}
