/** Which ticket the link offers: the concert, its time at the venue, and the tier. */

import type { ReactNode } from "react";

import type { OfferedTicketQuery } from "../../api/generated/graphql";
import { DateTime } from "../../components/dateTime";
import { Poster } from "../../components/poster";
import { useFormat } from "../../messages/format";
import { useT } from "./text";

export type Offer = NonNullable<OfferedTicketQuery["ticketOffer"]>;

/** Until when the offer can be accepted. */
export function Until({ offer }: { offer: Offer | null | undefined }): ReactNode {
  const t = useT();
  const { dateTime } = useFormat();
  return offer ? t("accept.until", { time: dateTime(offer.expiresAt, null, "dateTime") }) : null;
}

export function OfferedTicket({ offer }: { offer: Offer }): ReactNode {
  const t = useT();
  const { concert, tier } = offer;
  if (!concert) return <p className="lead">{t("accept.offered")}</p>;
  const { venue } = concert;
  return (
    <section className="offered" aria-labelledby="offered">
      <div className="offered-poster">
        <Poster image={concert.image} id={concert.id} name={concert.name} sizes="8rem" isFirst />
      </div>
      <div className="offered-words">
        <h2 id="offered">
          <bdi>{concert.name}</bdi>
        </h2>
        <p>
          <DateTime value={concert.startsAt} timeZone={venue.timeZone} format="longDateTime" hasOwnTime />
        </p>
        <p className="soft">
          <bdi>{`${venue.name}, ${venue.city}`}</bdi>
        </p>
        {tier && (
          <p className="offered-tier">
            <bdi>{tier.zone && tier.zone !== tier.name ? `${tier.name} · ${tier.zone}` : tier.name}</bdi>
          </p>
        )}
      </div>
    </section>
  );
}
