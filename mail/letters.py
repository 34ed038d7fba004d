"""Writes the text of a mail from its order and concert.

In names that buyers chose, everything that a mail program would turn into a link is broken up,
because these names may be sent to other people.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from domain.concerts import Concert, Tier
from domain.ids import Unit, ordinal_of, tier_of
from domain.mails.mail import Mail, MailKind, living_units
from domain.money import Money
from domain.orders import Order
from domain.payments.balances import refund_amount
from domain.payments.payment import Refund, RefundReason
from domain.text.characters import plain_line
from domain.text.links import without_links
from domain.text.locales import Locale
from domain.tickets.ticket import Ticket, Transfer
from domain.venues.time_zones import local_time
from mail.formats import format_moment, format_money
from mail.phrases import PHRASES, Phrases


@dataclass(frozen=True, slots=True)
class Letter:
    recipient: str = field(repr=False)
    """An email address."""
    name: str = field(repr=False)
    """The name of the recipient; empty if unknown."""
    locale: Locale
    subject: str
    paragraphs: tuple[str, ...] = field(repr=False)
    links: tuple[str, ...] = field(default=(), repr=False)
    """Our own addresses in the paragraphs."""

    @property
    def text(self) -> str:
        return "\n\n".join(self.paragraphs) + "\n"


@dataclass(frozen=True, slots=True)
class Site:
    """The URLs in a letter."""

    url: str
    """The URL at which people sign in."""
    transfer_page: str
    """The page that accepts a transfer. The token follows after `#`, so no server logs it."""


def write_letter(
    mail: Mail, order: Order, concert: Concert, site: Site, *, has_documents: bool, now: datetime
) -> Letter:
    writer = _Writer(mail, order, concert, site, has_documents=has_documents, now=now)
    body = {
        MailKind.CONFIRMATION: writer.confirmation,
        MailKind.REFUND: writer.refund,
        MailKind.TRANSFER: writer.transfer,
        MailKind.RENEWED: writer.renewed,
        MailKind.MOVED: writer.moved,
        MailKind.CANCELED: writer.canceled,
    }[mail.kind]()
    return writer.letter(body)


class _Writer:
    def __init__(
        self, mail: Mail, order: Order, concert: Concert, site: Site, *, has_documents: bool, now: datetime
    ) -> None:
        self._mail = mail
        self._order = order
        self._concert = concert
        self._site = site
        self._has_documents = has_documents
        self._now = now
        self._locale = order.customer.locale
        self._phrases: Phrases = PHRASES[self._locale]
        self._name = plain_line(concert.terms.name)

    def letter(self, body: Iterable[str]) -> Letter:
        subject = self._phrases.subjects[self._mail.kind].format(concert=self._name, number=self._order.number)
        name, address = self._order.customer.name, self._order.customer.email
        if self._mail.kind is MailKind.TRANSFER:
            name, address = "", self._transfer().email
        elif self._mail.unit is not None:
            name, address = self._holder()
        name = without_links(plain_line(name))
        greeting = [self._phrases.greeting.format(name=name)] if name else []
        signature = f"Onsale\n{self._site.url}"
        links = (self._site.url, self._transfer_link()) if self._mail.secret else (self._site.url,)
        return Letter(address, name, self._locale, subject, (*greeting, *body, signature), links)

    def confirmation(self) -> Iterable[str]:
        phrases, units = self._phrases, living_units(self._order)
        yield phrases.thanks_with_documents if self._has_documents else phrases.thanks.format(site=self._site.url)
        yield self._place()
        total = Money(sum(self._price(unit) for unit in units), self._order.currency)
        yield f"{self._lines(units)}\n{phrases.total.format(amount=format_money(total, self._locale))}"
        yield self._number()
        yield phrases.at_the_door

    def refund(self) -> Iterable[str]:
        refund = self._refund()
        yield self._phrases.refunded.format(amount=format_money(refund_amount(self._order, refund), self._locale))
        reason = self._phrases.refund_reasons[refund.reason].format(concert=self._name)
        if refund.reason is not RefundReason.REQUESTED:
            yield reason
        elif refund.units:
            yield f"{reason}\n{self._lines(refund.units)}"
        yield f"{self._name}\n{self._number()}"

    def renewed(self) -> Iterable[str]:
        phrases = self._phrases
        yield phrases.renewed.format(concert=self._name)
        yield phrases.renewed_documents if self._has_documents else phrases.see_tickets.format(site=self._site.url)
        yield self._place()
        yield from self._number_for_buyer()

    def moved(self) -> Iterable[str]:
        phrases = self._phrases
        yield phrases.moved.format(concert=self._name)
        yield self._place()
        yield f"{phrases.still_valid} {phrases.new_documents}" if self._has_documents else phrases.still_valid
        yield from self._how_to_return()
        yield from self._number_for_buyer()

    def canceled(self) -> Iterable[str]:
        yield self._phrases.canceled.format(concert=self._name, when=self._when(), venue=self._venue())
        if self._order.total.minor and self._mail.unit is None:
            yield self._phrases.money_back
        yield from self._number_for_buyer()

    def transfer(self) -> Iterable[str]:
        phrases, holder, until = self._phrases, self._ticket().holder_name, self._transfer().expires_at
        yield phrases.offer.format(holder=without_links(plain_line(holder)))
        tier = self._concert.tier(tier_of(self._ticket().unit))
        yield f"{self._place()}\n{plain_line(tier.name)}" if tier else self._place()
        yield f"{phrases.how_to_accept}\n{self._transfer_link()}"
        yield phrases.link_ends.format(until=self._in_utc(until))

    def _transfer_link(self) -> str:
        return f"{self._site.transfer_page}#{self._mail.secret}"

    def _how_to_return(self) -> Iterable[str]:
        """Yield the options of buyers who cannot come on the new date, while returns are open."""
        until = self._concert.terms.refunds_until
        if until is not None and self._now < until and self._mail.unit is None:
            yield self._phrases.may_return.format(until=self._local(until), site=self._site.url)

    def _place(self) -> str:
        return f"{self._name}\n{self._when()}\n{self._venue()}"

    def _when(self) -> str:
        """Return the start of the concert as the clocks at the venue show it."""
        return self._local(self._concert.terms.starts_at)

    def _local(self, moment: datetime) -> str:
        local = local_time(moment, self._concert.terms.venue.time_zone)
        return format_moment(local, self._locale) if local else self._in_utc(moment)

    def _in_utc(self, moment: datetime) -> str:
        return self._phrases.utc.format(when=format_moment(moment.astimezone(UTC), self._locale))

    def _venue(self) -> str:
        venue = self._concert.terms.venue
        return f"{plain_line(venue.name)}, {plain_line(venue.city)}"

    def _number(self) -> str:
        return self._phrases.order_number.format(number=self._order.number)

    def _number_for_buyer(self) -> Iterable[str]:
        """Yield the number of the order, unless the mail goes to a ticket holder who is not the
        buyer.
        """
        if self._mail.unit is None:
            yield self._number()

    def _lines(self, units: Iterable[Unit]) -> str:
        """Return one line for each tier, with its price."""
        counts = Counter(tier_of(unit) for unit in units)
        lines = []
        for tier_id in sorted(counts, key=ordinal_of):
            tier: Tier | None = self._concert.tier(tier_id)
            name = plain_line(tier.name) if tier else tier_id
            price = Money(self._price(Unit(f"{tier_id}:")) * counts[tier_id], self._order.currency)
            lines.append(f"{counts[tier_id]} \u00d7 {name}: {format_money(price, self._locale)}")
        return "\n".join(lines)

    def _price(self, unit: Unit) -> int:
        """Return the price at which the order bought a unit."""
        return next(line.unit_price_minor for line in self._order.lines if line.tier_id == tier_of(unit))

    def _refund(self) -> Refund:
        assert self._order.payment is not None
        return next(refund for refund in self._order.payment.refunds if refund.number == self._mail.number)

    def _ticket(self) -> Ticket:
        return next(ticket for ticket in self._order.tickets if ticket.unit == self._mail.unit)

    def _transfer(self) -> Transfer:
        transfer = self._ticket().transfer
        assert transfer is not None
        return transfer

    def _holder(self) -> tuple[str, str]:
        """Return the name and the address of the holder of the ticket.

        The address is never taken from an offer, because that person does not hold the ticket yet.
        """
        ticket = self._ticket()
        assert ticket.holder_email is not None
        return ticket.holder_name, ticket.holder_email
