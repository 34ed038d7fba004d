/** What stands above every stage: which concert it is about. */

import type { ReactNode } from "react";
import { Link } from "wouter";

import { DateTime } from "../../components/dateTime";
import { Poster } from "../../components/poster";
import type { Concert } from "./stage";

export function Frame({ concert, children }: { concert: Concert; children: ReactNode }): ReactNode {
  const { venue } = concert;
  return (
    <div className="page queue">
      <Link href={`/concerts/${concert.slug}`} className="queue-concert">
        <Poster image={concert.image} id={concert.id} name={concert.name} sizes="3rem" isFirst />
        <span>
          <span className="queue-concert-name">{concert.name}</span>
          <span className="queue-concert-place">
            {venue.name}, {venue.city} · <DateTime value={concert.startsAt} timeZone={venue.timeZone ?? null} />
          </span>
        </span>
      </Link>
      {children}
    </div>
  );
}
