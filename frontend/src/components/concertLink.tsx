import "./concertLink.css";

import type { ReactNode } from "react";
import { Link } from "wouter";

import { DateTime } from "./dateTime";
import { Poster, type PosterImage } from "./poster";

export interface ConcertLinkProps {
  concert: {
    id: string;
    slug: string;
    name: string;
    startsAt: string;
    venue: { name: string; city: string; timeZone?: string | null };
    image?: PosterImage | null;
  };
}

/** Which concert a page is about, in one line that leads back to it. */
export function ConcertLink({ concert }: ConcertLinkProps): ReactNode {
  const { venue } = concert;
  return (
    <Link href={`/concerts/${concert.slug}`} className="concert-link">
      <Poster image={concert.image} id={concert.id} name={concert.name} sizes="3rem" isFirst />
      <span>
        <span className="concert-link-name">{concert.name}</span>
        <span className="concert-link-place">
          {venue.name}, {venue.city}
        </span>
        <span className="concert-link-place">
          <DateTime value={concert.startsAt} timeZone={venue.timeZone ?? null} />
        </span>
      </span>
    </Link>
  );
}
