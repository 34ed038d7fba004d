/** The one clear next step: it follows from the sale, the waiting room, and what the person has. */

import { useEffect, useRef, type ReactNode } from "react";
import { useQuery } from "urql";

import type { MyConcertQuery } from "../../api/generated/graphql";
import { useAnnounce } from "../../components/announce";
import { Button, LinkButton } from "../../components/button";
import { Clock } from "../../components/clock";
import { Notice } from "../../components/notice";
import { useSession } from "../../shop/session";
import { useT } from "./messages";
import { MyConcert } from "./operations";
import type { ConcertData } from "./page";
import { isActiveEntry, usePlace } from "./place";
import { OnSale, SaleStart } from "./sale";
import { hasQueue, useRoomStatus, useSaleState, type RoomStatus, type SaleState } from "./saleState";

type Mine = NonNullable<MyConcertQuery["concert"]>;

export function NextStep({ concert }: { concert: ConcertData }): ReactNode {
  const { session } = useSession();
  const [{ data }] = useQuery({
    query: MyConcert,
    variables: { slug: concert.slug },
    pause: !session,
    requestPolicy: "cache-and-network",
  });
  const mine = session ? data?.concert : null;
  usePlace(concert.id, mine?.myQueueEntry);
  return (
    <section className="next-step">
      <MyHold slug={concert.slug} mine={mine} /> <MyEntry slug={concert.slug} mine={mine} />
      <SaleStep concert={concert} mine={mine} />
    </section>
  );
}

/** Whether the person is somewhere on the way to tickets, so that another start would confuse. */
function isUnderWay(mine: Mine | null | undefined): boolean {
  return isActiveHold(mine?.myHold) || isActiveEntry(mine?.myQueueEntry);
}

const isActiveHold = (hold: Mine["myHold"] | undefined): boolean => hold?.state === "HELD" || hold?.state === "BUYING";

interface MineProps {
  slug: string;
  mine: Mine | null | undefined;
}

function MyHold({ slug, mine }: MineProps): ReactNode {
  const t = useT();
  const hold = mine?.myHold;
  if (!hold || !isActiveHold(hold)) return null;
  const count = hold.lines.reduce((sum, { quantity }) => sum + quantity, 0);
  const order = hold.order?.status === "PENDING_PAYMENT" ? hold.order : null;
  return (
    <Notice
      tone="success"
      title={order ? t("mine.order", { count }) : t("mine.hold", { count })}
      actions={
        order ? (
          <LinkButton href={`/orders/${order.id}/pay`} isDocument>
            {t("mine.pay")}
          </LinkButton>
        ) : (
          <LinkButton href={`/concerts/${slug}/tickets`}>{t("mine.continue")}</LinkButton>
        )
      }
    >
      {t("mine.left")} <Clock until={hold.expiresAt} label={t("mine.left")} />
    </Notice>
  );
}

function MyEntry({ slug, mine }: MineProps): ReactNode {
  const t = useT();
  const entry = mine?.myQueueEntry;
  if (!entry || !isActiveEntry(entry) || isActiveHold(mine.myHold)) return null;
  const isTurn = entry.state === "READY" || entry.state === "ADMITTED";
  const address = entry.state === "ADMITTED" ? `/concerts/${slug}/tickets` : `/concerts/${slug}/queue`;
  return (
    <Notice
      tone={isTurn ? "success" : "info"}
      title={isTurn ? t("mine.turn") : t("mine.waiting")}
      actions={<LinkButton href={address}>{isTurn ? t("mine.toTickets") : t("mine.toQueue")}</LinkButton>}
    >
      {isTurn && entry.expiresAt && (
        <>
          {t("mine.left")} <Clock until={entry.expiresAt} label={t("mine.left")} />
        </>
      )}
      {entry.state === "WAITING" && entry.position !== null && t("mine.position", { position: entry.position })}
    </Notice>
  );
}

function SaleStep({ concert, mine }: { concert: ConcertData; mine: Mine | null | undefined }): ReactNode {
  const t = useT();
  const { session } = useSession();
  const state = useSaleState(concert);
  const room = useRoomStatus(concert.waitingRoom);
  useAnnouncedState(state);
  useAnnouncedPause(isUnderWay(mine) ? null : room);
  if (state === "draft") return <Notice title={t("end.draft")}>{t("end.draft.text")}</Notice>;
  if (state === "canceled") {
    return (
      <Notice
        tone="danger"
        title={t("end.canceled")}
        actions={
          <LinkButton href={session ? "/tickets" : "/"} variant="secondary">
            {session ? t("layout.myTickets") : t("end.others")}
          </LinkButton>
        }
      >
        {t("end.canceled.text")}
      </Notice>
    );
  }
  if (state === "over") return <Ended title={t("end.over")} text={t("end.over.text")} />;
  if (isUnderWay(mine)) return null;
  if (state === "soldOut" && !hasQueue(room)) return <Ended title={t("end.soldOut")} text={t("end.soldOut.text")} />;
  if (state === "notYet") return <SaleStart concert={concert} room={room} action={<Action concert={concert} />} />;
  return <OnSale concert={concert} room={room} isSoldOut={state === "soldOut"} action={<Action concert={concert} />} />;
}

/** Says when the sale starts, is sold out, has tickets again, or ends, while the page is open. */
function useAnnouncedState(state: SaleState): void {
  const t = useT();
  const announce = useAnnounce();
  const before = useRef(state);
  useEffect(() => {
    if (before.current === state) return;
    if (state === "onSale") announce(t(before.current === "soldOut" ? "sale.again" : "sale.onSale"), "assertive");
    if (state === "soldOut") announce(t("end.soldOut"));
    if (state === "over") announce(t("end.over"));
    if (state === "canceled") announce(t("end.canceled"));
    before.current = state;
  }, [state]);
}

/** Says to people without a place that the queue is paused, and that it moves again. */
function useAnnouncedPause(room: RoomStatus | null): void {
  const t = useT();
  const announce = useAnnounce();
  const before = useRef(room);
  useEffect(() => {
    if (room === "PAUSED" && before.current === "OPEN") announce(t("room.paused"));
    if (room === "OPEN" && before.current === "PAUSED") announce(t("room.resumed"));
    before.current = room;
  }, [room]);
}

function Ended({ title, text }: { title: string; text: string }): ReactNode {
  const t = useT();
  return (
    <Notice
      title={title}
      actions={
        <LinkButton href="/" variant="secondary">
          {t("end.others")}
        </LinkButton>
      }
    >
      {text}
    </Notice>
  );
}

/** The button that leads on: first to the login, then to the queue or the choice of tickets. */
function Action({ concert }: { concert: ConcertData }): ReactNode {
  const t = useT();
  const { session, isKnown, signIn } = useSession();
  const state = useSaleState(concert);
  const room = useRoomStatus(concert.waitingRoom);
  const toQueue = hasQueue(room);
  const isOpen = toQueue ? room !== "SCHEDULED" && room !== "REJECTING" : state !== "notYet";
  if (isKnown && !session) {
    return (
      <Button isWide onPress={signIn}>
        {t(isOpen ? (toQueue ? "action.signInToJoin" : "action.signInToBuy") : "action.signInNow")}
      </Button>
    );
  }
  if (session && !session.roles.includes("customer")) return <p className="next-step-note">{t("action.noCustomer")}</p>;
  if (!isOpen) return session && room !== "REJECTING" ? <p className="next-step-note">{t("action.stay")}</p> : null;
  return (
    <LinkButton href={`/concerts/${concert.slug}/${toQueue ? "queue" : "tickets"}`} isWide>
      {t(toQueue ? "action.join" : "action.choose")}
    </LinkButton>
  );
}
