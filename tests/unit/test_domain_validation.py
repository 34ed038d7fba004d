"""Validation of inputs: both sides of each bound, with the path of the field."""

from datetime import timedelta
from typing import Any

import pytest

from domain.concerts import TierDraft, Venue
from domain.holds import TicketRequest
from domain.ids import ConcertId, tier_id
from domain.orders import Customer
from domain.validation import customer_problems, draft_problems, key_problems, ticket_line_problems
from tests.support.sale import changed, draft

CONCERT = ConcertId("abcdefghjkmn")
FIRST, SECOND = tier_id(CONCERT, 1), tier_id(CONCERT, 2)


def paths(problems: Any) -> list[str]:
    return [problem.path for problem in problems]


@pytest.mark.parametrize(
    ("email", "is_good"),
    [
        ("a@b.co", True),
        ("ada+tickets@mail.example.org", True),
        ("ü@exämple.org", True),
        ("", False),
        ("ada", False),
        ("ada@example", False),
        ("ada@@example.org", False),
        ("a da@example.org", False),
        ("ada@example..org", False),
        ("ada@example.org\nbcc: all@example.org", False),
        ("a" * 250 + "@b.co", False),
    ],
)
def test_email_addresses_are_checked(email: str, is_good: bool) -> None:
    assert (set(paths(customer_problems(Customer("Ada", email)))) == set()) is is_good


@pytest.mark.parametrize(
    "name", ["", "   ", "x" * 201, "x" * 10_000, "nul\x00", "escape\x1b[31m", "lone \ud800", "two\nlines"]
)
def test_bad_customer_names_are_refused(name: str) -> None:
    assert set(paths(customer_problems(Customer(name, "a@b.co")))) == {"customerName"}


@pytest.mark.parametrize("name", ["A", "x" * 200, "Þóra Ólafsdóttir", "李小龙", "Zoë 🎻"])
def test_good_customer_names_are_accepted(name: str) -> None:
    assert paths(customer_problems(Customer(name, "a@b.co"))) == []


@pytest.mark.parametrize(("key", "is_good"), [("k", True), ("x" * 255, True), ("", False), ("x" * 256, False)])
def test_idempotency_key_must_have_1_to_255_characters(key: str, is_good: bool) -> None:
    assert paths(key_problems(key)) == ([] if is_good else ["idempotencyKey"])


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([TicketRequest(FIRST, 1)], []),
        ([TicketRequest(FIRST, 1_000), TicketRequest(SECOND, 1)], []),
        ([], ["lines"]),
        ([TicketRequest(FIRST, 0)], ["lines.0.quantity"]),
        ([TicketRequest(FIRST, -1)], ["lines.0.quantity"]),
        ([TicketRequest(SECOND, 1), TicketRequest(FIRST, 2_147_483_647)], ["lines.1.quantity"]),
        ([TicketRequest(FIRST, 1), TicketRequest(FIRST, 1)], ["lines.1.tierId"]),
        ([TicketRequest(tier_id(ConcertId("other"), 1), 1)], ["lines.0.tierId"]),
    ],
)
def test_ticket_lines_are_checked(lines: list[TicketRequest], expected: list[str]) -> None:
    assert paths(ticket_line_problems(CONCERT, lines)) == expected


def test_at_most_20_ticket_lines_are_accepted() -> None:
    assert paths(ticket_line_problems(CONCERT, [TicketRequest(tier_id(CONCERT, n), 1) for n in range(21)])) == ["lines"]


def test_plain_draft_is_accepted() -> None:
    assert paths(draft_problems(draft(10, 20))) == []


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"name": ""}, ["name"]),
        ({"name": "x" * 10_000}, ["name"]),
        ({"description": "x" * 5_001}, ["description"]),
        ({"description": ""}, []),
        ({"venue": Venue("", "x" * 201, "nl", "UTC")}, ["venue.name", "venue.city", "venue.country"]),
        ({"venue": Venue("V", "C", "NL", "Europe/Amsterdm")}, ["venue.timeZone"]),
        ({"venue": Venue("V", "C", "NL")}, ["venue.timeZone"]),
        ({"slug": "Not A Slug"}, ["slug"]),
        ({"slug": "-a"}, ["slug"]),
        ({"slug": "a-1"}, []),
        ({"limit_per_order": 0, "limit_per_person": 1_001}, ["limitPerOrder", "limitPerPerson"]),
        ({"hold_duration_ms": 999}, ["holdDurationSeconds"]),
        ({"hold_duration_ms": 7_200_001}, ["holdDurationSeconds"]),
        ({"hold_duration_ms": 7_200_000}, []),
        ({"tiers": ()}, ["tiers"]),
        ({"tiers": (TierDraft("a", -1, 0), TierDraft("a", 0, 200_001))},
         ["tiers.0.priceMinor", "tiers.0.capacity", "tiers.1.capacity", "tiers.1.name"]),
    ],
)  # fmt: skip
def test_draft_fields_are_checked(changes: dict[str, Any], expected: list[str]) -> None:
    assert paths(draft_problems(draft(10, **changes))) == expected


def test_times_of_a_draft_must_be_in_order() -> None:
    made = draft(10)
    assert paths(draft_problems(changed(made, sales_end_at=made.terms.sales_start_at))) == ["salesEndAt"]
    assert paths(draft_problems(changed(made, sales_end_at=made.terms.starts_at + timedelta(days=1)))) == []
    late = changed(made, sales_end_at=made.terms.starts_at + timedelta(days=1, seconds=1))
    assert paths(draft_problems(late)) == ["salesEndAt"]
    assert paths(draft_problems(changed(made, starts_at=made.terms.starts_at.replace(year=2150)))) == ["startsAt"]
