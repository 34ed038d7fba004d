/** When and where the concert is, and its rules. */

import type { ReactNode } from "react";

import { DateTime } from "../../components/dateTime";
import { useFormat } from "../../messages/format";
import { useLanguage } from "../../messages/i18n";
import { useT } from "./messages";
import type { ConcertData } from "./page";

export function Facts({ concert }: { concert: ConcertData }): ReactNode {
  const t = useT();
  const { limitPerOrder, limitPerPerson, minimumAge, refundsUntil, venue } = concert;
  return (
    <section className="facts">
      <h2>{t("facts.title")}</h2>
      <dl>
        <When concert={concert} />
        <Where venue={venue} />
        <Fact name={t("facts.limits")}>
          {limitPerOrder === limitPerPerson
            ? t("facts.limit", { count: limitPerPerson })
            : t("facts.limitsBoth", { order: limitPerOrder, person: limitPerPerson })}
        </Fact>
        {minimumAge !== null && <Fact name={t("facts.age")}>{t("facts.ageFrom", { age: minimumAge })}</Fact>}
        <Fact name={t("facts.refunds")}>
          {refundsUntil ? (
            <>
              {t("facts.refundsUntil")} <DateTime value={refundsUntil} timeZone={venue.timeZone} hasOwnTime />
            </>
          ) : (
            t("facts.noRefunds")
          )}
        </Fact>
        <Links concert={concert} />
      </dl>
    </section>
  );
}

function When({ concert: { startsAt, doorsAt, venue } }: { concert: ConcertData }): ReactNode {
  const t = useT();
  const { dateTime } = useFormat();
  const { timeZone } = venue;
  const here = dateTime(startsAt, null, "dateTime");
  const isElsewhere = timeZone !== null && here !== dateTime(startsAt, timeZone, "dateTime");
  return (
    <Fact name={t("facts.when")}>
      <time dateTime={startsAt}>{dateTime(startsAt, timeZone, "longDateTime")}</time>
      {doorsAt && <span className="fact-more">{t("facts.doors", { time: dateTime(doorsAt, timeZone, "time") })}</span>}
      {isElsewhere && (
        <span className="fact-more">
          {t("facts.local", { city: venue.city })} {t("yourTime", { time: here })}
        </span>
      )}
    </Fact>
  );
}

function Where({ venue }: { venue: ConcertData["venue"] }): ReactNode {
  const t = useT();
  const country = new Intl.DisplayNames(useLanguage(), { type: "region" }).of(venue.country);
  return (
    <Fact name={t("facts.where")}>
      <bdi>{venue.name}</bdi>
      {venue.address && (
        <span className="fact-more">
          <bdi>{venue.address}</bdi>
        </span>
      )}
      <span className="fact-more">
        {t("facts.place", { city: venue.city, country: country ?? venue.country })}
      </span>
    </Fact>
  );
}

function Links({ concert: { links } }: { concert: ConcertData }): ReactNode {
  const t = useT();
  if (links.length === 0) return null;
  return (
    <Fact name={t("facts.links")}>
      <ul role="list">
        {links.map(({ label, url }) => (
          <li key={url}>
            <a href={url} rel="noopener noreferrer external">
              <bdi>{label}</bdi>
            </a>
          </li>
        ))}
      </ul>
    </Fact>
  );
}

function Fact({ name, children }: { name: string; children: ReactNode }): ReactNode {
  return (
    <div className="fact">
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}
