"""The words on documents, in each language."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import babel.dates

from domain.text.locales import Locale
from domain.venues.time_zones import local_time


@dataclass(frozen=True, slots=True)
class Words:
    title: str
    order: str
    number: str
    code: str
    """Read aloud by screen readers in place of the code."""
    starts: str
    venue: str
    tier: str
    holder: str
    notice: str
    calendar: str


WORDS: Mapping[Locale, Words] = {
    Locale.EN: Words(
        title="Tickets for {concert}",
        order="Order {order}",
        number="Ticket {number} of {count}",
        code="QR code of ticket {number} of {count}",
        starts="Starts",
        venue="Venue",
        tier="Category",
        holder="Name",
        notice="Show this code at the entrance. It admits one person, once. Do not share it.",
        calendar="Order {order}. Bring your tickets: each has a code that is scanned at the entrance.",
    ),
    Locale.DE: Words(
        title="Tickets für {concert}",
        order="Bestellung {order}",
        number="Ticket {number} von {count}",
        code="QR-Code von Ticket {number} von {count}",
        starts="Beginn",
        venue="Ort",
        tier="Kategorie",
        holder="Name",
        notice="Zeigen Sie diesen Code am Einlass. Er gilt einmal für eine Person. Geben Sie ihn nicht weiter.",
        calendar="Bestellung {order}. Bringen Sie Ihre Tickets mit: Am Einlass wird der Code jedes Tickets gescannt.",
    ),
}
_TIME_FORMATS = {
    Locale.EN: "EEEE, MMMM d, y, h:mm a",
    Locale.DE: "EEEE, d. MMMM y, HH:mm 'Uhr'",
}


def describe_time(moment: datetime, time_zone: str | None, locale: Locale) -> str:
    """Return the moment as the clocks at the venue show it, or in UTC if the zone is unknown."""
    local = local_time(moment, time_zone)
    shown = local or moment
    text = babel.dates.format_datetime(shown, _TIME_FORMATS[locale], tzinfo=shown.tzinfo, locale=locale.value)
    return text if local else f"{text} UTC"
