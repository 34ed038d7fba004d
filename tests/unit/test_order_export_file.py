"""The CSV file of orders: one line each, for spreadsheets, without formulas."""

import csv
import io
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from domain.concerts import Concert, ConcertStatus, Tier
from domain.holds import TicketLine
from domain.ids import ConcertId, OrderId, PersonId, TierId
from domain.money import CurrencyCode
from domain.orders import Customer, Order, OrderStatus
from domain.organizers.order_export import COLUMNS, head, rows
from domain.organizers.order_search import OrderFilter, order_filter_problems, order_words
from tests.support.sale import draft

CONCERT_ID = ConcertId("abcdefghjkmn")
AT = datetime(2026, 3, 1, 12, 0, 5, 999_000, tzinfo=UTC)


def concert() -> Concert:
    made = draft(10, 10)
    tiers = (Tier(TierId(f"{CONCERT_ID}-1"), "Standing", 4950, 10, 10), Tier(TierId(f"{CONCERT_ID}-2"), "=A1", 0, 1, 1))
    owner = PersonId("olivia")
    return Concert(
        id=CONCERT_ID,
        slug="a",
        terms=made.terms,
        currency=CurrencyCode.EUR,
        tiers=tiers,
        status=ConcertStatus.PUBLISHED,
        version=1,
        epoch=1,
        created_by=owner,
        created_at=AT,
        organizer_id=owner,
    )


def order(**changes: object) -> Order:
    made = Order(
        id=OrderId("0" * 32),
        concert_id=CONCERT_ID,
        person_id=PersonId("ann"),
        status=OrderStatus.PAID,
        units=(),
        released_units=(),
        lines=(TicketLine(TierId(f"{CONCERT_ID}-1"), 2, 4950), TicketLine(TierId(f"{CONCERT_ID}-2"), 1, 0)),
        currency=CurrencyCode.EUR,
        customer=Customer("Ann Müller", "ann@example.org"),
        version=1,
        events=(),
        created_at=AT,
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def read(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline="")))


def test_file_begins_with_a_byte_order_mark_and_its_columns() -> None:
    assert head().encode()[:3] == b"\xef\xbb\xbf"
    assert read(head()) == [list(COLUMNS)]


def test_order_is_one_line_with_exact_amounts() -> None:
    line = rows([order()], concert())
    assert line.endswith("\r\n")
    assert read(line) == [
        [
            *("000000000000", "PAID", "2026-03-01T12:00:05Z", "Ann Müller", "ann@example.org", "3"),
            *("2 x Standing; 1 x =A1", "99.00", "0.00", "EUR"),
        ]
    ]


@pytest.mark.parametrize(
    "start", ["=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20", '=HYPERLINK("http://evil")']
)
def test_text_that_a_spreadsheet_would_run_is_defused(start: str) -> None:
    customer = Customer(f"{start}1+1", f"{start}x@example.org")
    (line,) = read(rows([order(customer=customer)], concert()))
    assert (line[3], line[4]) == (f"'{customer.name}", f"'{customer.email}")


@pytest.mark.parametrize(
    ("name", "defused"),
    [
        ("  =1+1", "'  =1+1"),
        ("Ann;=1+1;", "Ann;'=1+1;"),
        ("Ann, -1+1", "Ann,' -1+1"),
        ("Ann|@SUM(A1)", "Ann|'@SUM(A1)"),
        ("Ann\t\uff1d1", "Ann\t'\uff1d1"),
    ],
)
def test_text_is_defused_after_spaces_and_separators(name: str, defused: str) -> None:
    (line,) = read(rows([order(customer=Customer(name, "a@b.example"))], concert()))
    assert line[3] == defused


@pytest.mark.parametrize("name", ["Ann = Bob", "Ann; Bob", "O'Neil", 'Ann "A" Lee', "Ann, Lee", "Ann\nLee", "1-2"])
def test_other_texts_are_read_back_unchanged(name: str) -> None:
    (line,) = read(rows([order(customer=Customer(name, "a@b.example"))], concert()))
    assert line[3] == name


def test_house_orders_have_no_search_words() -> None:
    customer = Customer("Ann Müller", "Ann.Lee@example.org")
    assert order_words(PersonId("house"), customer) == ()
    assert set(order_words(PersonId("ann"), customer)) >= {"ann", "muller", "lee", "example", "org"}


@pytest.mark.parametrize(
    ("search", "words", "is_number"),
    [
        ("", (), False),
        ("  Müller ANN ", ("ann", "muller"), False),
        ("ann.lee@exa", ("ann", "exa", "lee"), False),
        ("0123-4567-89ab", ("0123", "4567", "89ab"), True),
        ("o123 4567 89AB", ("4567", "89ab", "o123"), True),
    ],
)
def test_search_consists_of_words_and_may_be_a_number(search: str, words: tuple[str, ...], is_number: bool) -> None:
    filter_ = OrderFilter(search=search)
    assert (filter_.words, filter_.number_range is not None) == (words, is_number)


@pytest.mark.parametrize("search", ["a" * 201, " ".join("abcdefghijk"), "a\x00b"])
def test_search_that_no_order_can_match_is_refused(search: str) -> None:
    assert [problem.path for problem in order_filter_problems(OrderFilter(search=search))] == ["filter.search"]
