/** The sale before and after its start, above the button that leads on. */

import type { ReactNode } from "react";

import { Clock } from "../../components/clock";
import { DateTime } from "../../components/dateTime";
import { Money } from "../../components/money";
import { useT } from "./messages";
import type { ConcertData } from "./page";
import { hasQueue, isSoon, type RoomStatus } from "./saleState";

interface SaleProps {
  concert: ConcertData;
  room: RoomStatus;
  action: ReactNode;
}

/** The sale has not started: its time here and there, and a countdown on the last day. */
export function SaleStart({ concert, room, action }: SaleProps): ReactNode {
  const t = useT();
  const { salesStartAt, venue } = concert;
  return (
    <div className="offer">
      <p className="offer-state">{t("sale.startsAt")}</p>
      <p className="offer-time">
        <DateTime value={salesStartAt} timeZone={venue.timeZone} hasOwnTime />
      </p>
      {isSoon(salesStartAt) && (
        <p className="offer-clock">
          <Clock until={salesStartAt} label={t("sale.countdown")} />
        </p>
      )}
      <RoomNote concert={concert} room={room} />
      {action}
    </div>
  );
}

export function OnSale({ concert, room, isSoldOut, action }: SaleProps & { isSoldOut: boolean }): ReactNode {
  const t = useT();
  const range = concert.stock?.priceRange;
  return (
    <div className="offer">
      <p className="offer-state">{isSoldOut ? t("end.soldOut") : t("sale.onSale")}</p>
      {range && (
        <p className="offer-price">
          <Money value={range.lowest} />
          {range.lowest.amount !== range.highest.amount && (
            <>
              {" – "}
              <Money value={range.highest} />
            </>
          )}
        </p>
      )}
      {isSoldOut && <p className="next-step-note">{t("sale.soldOutQueue")}</p>}
      <RoomNote concert={concert} room={room} />
      {action}
    </div>
  );
}

/** What the waiting room does at the moment, if the sale has one. */
function RoomNote({ concert: { waitingRoom, venue }, room }: { concert: ConcertData; room: RoomStatus }): ReactNode {
  const t = useT();
  if (!waitingRoom || !hasQueue(room)) return null;
  if (room === "SCHEDULED") {
    const { prequeueStartsAt } = waitingRoom;
    if (!prequeueStartsAt) return <p className="next-step-note">{t("room.scheduled")}</p>;
    return (
      <p className="next-step-note">
        {t("room.opensAt")} <DateTime value={prequeueStartsAt} timeZone={venue.timeZone} hasOwnTime />
      </p>
    );
  }
  if (room === "REJECTING") return <p className="next-step-note">{t("room.rejecting")}</p>;
  if (room === "PREQUEUE") return <p className="next-step-note">{t("room.prequeue")}</p>;
  return (
    <p className="next-step-note">
      {t(room === "PAUSED" ? "room.paused" : "room.open")}{" "}
      {waitingRoom.waitingCount > 0 && t("room.waiting", { count: waitingRoom.waitingCount })}
    </p>
  );
}
