"""The contents of documents, the ids under which they are stored, and calendar files."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from domain.concerts import Concert, ConcertStatus, Venue
from domain.ids import PersonId, TierId, ticket_id
from domain.orders import Order, OrderStatus
from domain.text.locales import Locale
from domain.tickets.ticket import Ticket
from tests.support.ticket_documents import evening, paid_order
from tickets.documents.calendar_file import make_calendar
from tickets.documents.content import DocumentContent, build_content
from tickets.documents.library import current_document_ids, document_id
from tickets.documents.selection import valid_tickets
from tickets.documents.words import describe_time
from tickets.qr import draw_qr

ALICE, BOB = PersonId("alice"), PersonId("bob")


def content_of(order: Order, *, locale: Locale = Locale.EN) -> DocumentContent:
    shown = valid_tickets(order, ALICE)
    return build_content(order, evening(), shown, locale)


def transferred(order: Order, index: int = 0) -> Order:
    tickets = list(order.tickets)
    tickets[index] = replace(tickets[index], holder_id=BOB, holder_name="Bob", generation=2)
    return replace(order, tickets=tuple(tickets))


def test_document_names_concert_place_time_tier_and_holder() -> None:
    order = paid_order(7, 8)
    content = content_of(order)

    assert content.title == "Tickets for Nachtmusik"
    assert [ticket.code for ticket in content.with_codes(["A", "B"]).tickets] == ["A", "B"]
    texts = content.tickets[1].texts
    assert (texts.concert, texts.venue) == ("Nachtmusik", "Tempodrom, Berlin")
    assert (texts.tier, texts.holder) == ("Standing", "Ada")
    assert texts.starts == "Tuesday, December 1, 2026, 8:00 PM"
    assert (texts.number, texts.order) == ("Ticket 2 of 2", f"Order {order.number}")


def test_german_document_has_german_words_and_dates() -> None:
    content = content_of(paid_order(7), locale=Locale.DE)

    assert (content.locale, content.title) == (Locale.DE, "Tickets für Nachtmusik")
    assert content.tickets[0].texts.starts == "Dienstag, 1. Dezember 2026, 20:00 Uhr"
    assert content.labels.holder == "Name"


@pytest.mark.parametrize(
    ("zone", "shown"),
    [
        ("America/New_York", "Tuesday, December 1, 2026, 2:00 PM"),
        ("Asia/Kathmandu", "Wednesday, December 2, 2026, 12:45 AM"),
        (None, "Tuesday, December 1, 2026, 7:00 PM UTC"),
        ("Atlantis/Center", "Tuesday, December 1, 2026, 7:00 PM UTC"),
    ],
)
def test_time_is_shown_as_the_clocks_at_the_venue_show_it(zone: str | None, shown: str) -> None:
    assert describe_time(datetime(2026, 12, 1, 19, tzinfo=UTC), zone, Locale.EN) == shown


def test_only_valid_tickets_of_the_holder_are_shown() -> None:
    order = transferred(paid_order(7, 8, 9))
    without_last = replace(order, units=order.units[:2])

    assert [ticket.unit for ticket in valid_tickets(order, ALICE)] == list(order.units[1:])
    assert [ticket.unit for ticket in valid_tickets(order, BOB)] == [order.units[0]]
    assert [ticket.unit for ticket in valid_tickets(without_last, ALICE)] == [order.units[1]]
    assert valid_tickets(order, ALICE, ticket_id(order.id, order.units[0])) == ()
    assert valid_tickets(replace(order, status=OrderStatus.DISPUTE_LOST), ALICE) == ()


def test_id_changes_with_everything_that_the_document_shows() -> None:
    order, concert = paid_order(7, 8), evening()

    def id_of(
        order: Order = order,
        concert: Concert = concert,
        tickets: tuple[Ticket, ...] = (),
        locale: Locale = Locale.EN,
        fonts: str = "fonts",
    ) -> str:
        shown = tickets or valid_tickets(order, ALICE)
        return document_id(order, shown, build_content(order, concert, shown, locale), fonts=fonts)

    tier = replace(concert.tiers[0], name="Seated")
    reissued = replace(order, tickets=tuple(replace(ticket, generation=2) for ticket in order.tickets))
    ids = [
        id_of(),
        id_of(reissued),
        id_of(transferred(order)),
        id_of(tickets=order.tickets[:1]),
        id_of(locale=Locale.DE),
        id_of(fonts="other fonts"),
        id_of(concert=evening(starts_at=concert.terms.starts_at + timedelta(days=1))),
        id_of(concert=evening(name="Tagmusik")),
        id_of(concert=evening(venue=Venue("Tempodrom", "Bonn", "DE", "Europe/Berlin"))),
        id_of(concert=replace(concert, tiers=(tier,))),
        id_of(paid_order(7, 8, name="other")),
    ]
    assert len(set(ids)) == len(ids)
    unseen = replace(concert, version=9, terms=replace(concert.terms, limit_per_order=3, description="New."))
    assert id_of(concert=unseen) == id_of(replace(order, version=5)) == ids[0]


def test_each_holder_and_each_ticket_has_a_current_document() -> None:
    order, concert = paid_order(7, 8), evening()
    whole, passed_on = (current_document_ids(one, concert, fonts="") for one in (order, transferred(order)))
    kept = order.tickets[1:]
    kept_ids = {document_id(order, kept, build_content(order, concert, kept, locale), fonts="") for locale in Locale}

    assert (len(whole), len(passed_on)) == (3 * len(Locale), 2 * len(Locale))
    assert whole & passed_on == kept_ids
    assert current_document_ids(replace(order, status=OrderStatus.REFUNDED), concert, fonts="") == set()


def test_ticket_of_a_removed_tier_has_no_tier() -> None:
    order = paid_order(7)
    concert = replace(evening(), tiers=(replace(evening().tiers[0], id=TierId("abcdefghjkmn-2")),))
    content = build_content(order, concert, order.tickets, Locale.EN)
    assert content.tickets[0].texts.tier == ""


def test_calendar_file_is_an_event_at_the_start_in_utc() -> None:
    order = paid_order(7)
    assert make_calendar(order, evening(), Locale.EN).decode().split("\r\n") == [
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        "PRODID:-//Onsale//Tickets//EN",
        "BEGIN:VEVENT",
        f"UID:{order.id}@onsale",
        "DTSTAMP:20261120T120000Z",
        "SEQUENCE:3",
        "STATUS:CONFIRMED",
        "DTSTART:20261201T190000Z",
        "SUMMARY:Nachtmusik",
        "LOCATION:Tempodrom\\, Berlin",
        f"DESCRIPTION:Order {order.number}. Bring your tickets: each has a code that is",
        "  scanned at the entrance.",
        "END:VEVENT",
        "END:VCALENDAR",
        "",
    ]


def test_calendar_event_of_a_canceled_concert_is_canceled() -> None:
    canceled = replace(evening(), status=ConcertStatus.CANCELLED)
    assert b"\r\nSTATUS:CANCELLED\r\n" in make_calendar(paid_order(7), canceled, Locale.EN)


@pytest.mark.parametrize("letter", ["a", "é", "漢", "🎉", ";"])
def test_calendar_lines_have_at_most_75_bytes_of_whole_characters(letter: str) -> None:
    name = letter * 200
    written = make_calendar(paid_order(7), evening(name=name), Locale.DE)

    assert max(len(line) for line in written.split(b"\r\n")) <= 75
    unfolded = written.decode().replace("\r\n ", "").replace("\\;", ";")
    assert f"SUMMARY:{name}\r\n" in unfolded


def test_name_cannot_add_a_line_to_the_calendar_file() -> None:
    written = make_calendar(paid_order(7), evening(name="A\r\nDTSTART:1\\,;\nB\x00\ud800"), Locale.EN).decode()

    assert "\r\nSUMMARY:A DTSTART:1\\\\\\,\\; B  \r\n" in written


def test_qr_code_is_one_path_that_scales() -> None:
    svg = draw_qr("ABC123")
    assert svg.startswith('<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 29 29"')
    assert "width" not in svg.split(">")[0]
