"""A concert as a calendar file (iCalendar, RFC 5545).

The event keeps its UID, and its sequence number increases with each change to the concert. Opening
a newer file of a moved concert therefore moves the event instead of adding another one.
"""

import re
from collections.abc import Iterator
from datetime import UTC, datetime

from domain.concerts import Concert, ConcertStatus
from domain.orders import Order
from domain.text.characters import clean_block
from domain.text.locales import Locale
from tickets.documents.content import describe_venue
from tickets.documents.words import WORDS

CALENDAR_TYPE = "text/calendar; charset=utf-8"
MAX_LINE_BYTES = 75
_SPECIAL = re.compile(r"[\\;,]")
_CONTROL = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")


def make_calendar(order: Order, concert: Concert, locale: Locale) -> bytes:
    """Return the calendar file for an order.

    It has no end time, because a concert has none in Onsale. Times are in UTC; calendars show them
    in their owner's time zone.
    """
    is_canceled = concert.status is ConcertStatus.CANCELLED
    lines = (
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        "PRODID:-//Onsale//Tickets//EN",
        "BEGIN:VEVENT",
        f"UID:{order.id}@onsale",
        f"DTSTAMP:{_moment(order.created_at)}",
        f"SEQUENCE:{concert.version}",
        f"STATUS:{'CANCELLED' if is_canceled else 'CONFIRMED'}",
        f"DTSTART:{_moment(concert.terms.starts_at)}",
        f"SUMMARY:{_escape(concert.terms.name)}",
        f"LOCATION:{_escape(describe_venue(concert))}",
        f"DESCRIPTION:{_escape(WORDS[locale].calendar.format(order=order.number))}",
        "END:VEVENT",
        "END:VCALENDAR",
    )
    return b"".join(_folded(line) for line in lines)


def _moment(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y%m%dT%H%M%SZ}"


def _escape(text: str) -> str:
    plain = _CONTROL.sub(" ", clean_block(text))
    return _SPECIAL.sub(lambda found: f"\\{found[0]}", plain)


def _folded(line: str) -> bytes:
    return b"\r\n ".join(_parts(line)) + b"\r\n"


def _parts(line: str) -> Iterator[bytes]:
    """Yield the parts of a folded line. No character is split, and each part except the first
    leaves room for its leading space.
    """
    part, room = b"", MAX_LINE_BYTES
    for character in line:
        encoded = character.encode()
        if len(part) + len(encoded) > room:
            yield part
            part, room = b"", MAX_LINE_BYTES - 1
        part += encoded
    yield part
