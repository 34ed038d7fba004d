"""The content of a document: only texts, so it can be sent to the process that renders."""

from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace

from domain.concerts import Concert
from domain.ids import fingerprint, tier_of
from domain.orders import Order
from domain.text.locales import Locale
from domain.tickets.ticket import Ticket
from tickets.documents.words import WORDS, Words, describe_time


@dataclass(frozen=True, slots=True)
class Labels:
    starts: str
    venue: str
    tier: str
    holder: str
    notice: str


@dataclass(frozen=True, slots=True)
class TicketTexts:
    concert: str
    starts: str
    venue: str
    tier: str
    holder: str
    order: str
    number: str


@dataclass(frozen=True, slots=True)
class TicketContent:
    texts: TicketTexts
    alt: str
    """Read aloud in place of the code."""
    code: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class DocumentContent:
    locale: Locale
    country: str
    """The country of the venue, which decides between shapes of Chinese characters."""
    title: str
    labels: Labels
    tickets: tuple[TicketContent, ...]

    @property
    def digest(self) -> str:
        """Return the fingerprint of everything that the document shows except the codes."""
        parts = [self.locale, self.title, *_values(self.labels)]
        for ticket in self.tickets:
            parts += [*_values(ticket.texts), ticket.alt]
        return fingerprint(*(part.encode(errors="backslashreplace").decode() for part in parts))

    def with_codes(self, codes: Sequence[str]) -> "DocumentContent":
        """Return the document with a code for each ticket."""
        pairs = zip(self.tickets, codes, strict=True)
        return replace(self, tickets=tuple(replace(ticket, code=code) for ticket, code in pairs))


def build_content(order: Order, concert: Concert, tickets: Sequence[Ticket], locale: Locale) -> DocumentContent:
    """Return the content of a document for these tickets of an order, without their codes."""
    words, count, venue = WORDS[locale], len(tickets), concert.terms.venue
    return DocumentContent(
        locale=locale,
        country=venue.country,
        title=words.title.format(concert=concert.terms.name),
        labels=Labels(words.starts, words.venue, words.tier, words.holder, words.notice),
        tickets=tuple(
            TicketContent(
                texts=_texts(order, concert, ticket, locale, number=words.number.format(number=number, count=count)),
                alt=words.code.format(number=number, count=count),
            )
            for number, ticket in enumerate(tickets, 1)
        ),
    )


def _texts(order: Order, concert: Concert, ticket: Ticket, locale: Locale, *, number: str) -> TicketTexts:
    terms, tier = concert.terms, concert.tier(tier_of(ticket.unit))
    words: Words = WORDS[locale]
    return TicketTexts(
        concert=terms.name,
        starts=describe_time(terms.starts_at, terms.venue.time_zone, locale),
        venue=describe_venue(concert),
        tier=tier.name if tier else "",
        holder=ticket.holder_name,
        order=words.order.format(order=order.number),
        number=number,
    )


def describe_venue(concert: Concert) -> str:
    venue = concert.terms.venue
    return f"{venue.name}, {venue.city}"


def _values(texts: Labels | TicketTexts) -> list[str]:
    return [getattr(texts, part.name) for part in fields(texts)]
