"""A sale is good only if nothing speaks against it, and its report says what did."""

from datetime import UTC, datetime

import pytest

from bench.sale.invariants import Verdict
from bench.sale.ledger import Ledger, Receipt, TicketLine
from bench.sale.people import BuyerBehavior, Person
from bench.sale.progress import progress_line
from bench.sale.report import failures, report
from bench.sale.sale import Plan, Result
from bench.sale.store_dump import StoreDump
from domain.concerts import Concert, ConcertStatus, ConcertTerms, Venue
from domain.ids import ConcertId, PersonId
from domain.money import CurrencyCode
from domain.queues import NO_ROOM

NOW = datetime(2026, 11, 20, tzinfo=UTC)
CONCERT = Concert(
    terms=ConcertTerms(
        name="C",
        venue=Venue("V", "C", "NL"),
        description="",
        starts_at=NOW,
        sales_start_at=NOW,
        sales_end_at=NOW,
        limit_per_order=4,
        limit_per_person=6,
        hold_duration_ms=10_000,
    ),
    id=ConcertId("c"),
    slug="c",
    currency=CurrencyCode.EUR,
    tiers=(),
    status=ConcertStatus.PUBLISHED,
    version=1,
    epoch=1,
    created_by=PersonId("olivia"),
    created_at=NOW,
)
BUYER = Person("buyer1", BuyerBehavior.BUYS, 4, 0, takes_two_tiers=False, arrives_after_s=0.0, thinks_s=0.0)
PLAN = Plan((BUYER, BUYER, BUYER), stock=10, room=NO_ROOM, limit_s=60.0)


def result(*, sold: int = 10, offending: int = 0, surprises: int = 0, cut_short: str | None = None) -> Result:
    ledger = Ledger(arrived=3, left=3, surprises=["surprise"] * surprises)
    ledger.book(Receipt("order", "buyer1", "", (TicketLine("tier", sold),), 0))
    dump = StoreDump(CONCERT, (), {}, {}, (), {}, {})
    verdicts = (Verdict("stores agree", ("a row",) * offending), Verdict("limits kept", ()))
    return Result(ledger, dump, verdicts, lasted_s=12.3, cut_short=cut_short)


def test_a_good_sale_has_nothing_against_it() -> None:
    assert failures(PLAN, result()) == []
    text = report(PLAN, result())
    assert text.endswith("10 of 10 sold, 0 oversold, to 3 people in 12 s")
    assert "FAIL" not in text


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (result(offending=2), "stores agree: 2 rows"),
        (result(surprises=3), "3 answers that nobody should get"),
        (result(cut_short="not everybody was done"), "not everybody was done"),
        (result(sold=9), "9 tickets sold, not 10"),
        (result(sold=11), "11 tickets sold, not 10"),
    ],
)
def test_a_bad_sale_says_why(bad: Result, reason: str) -> None:
    assert failures(PLAN, bad) == [reason]
    assert report(PLAN, bad).endswith(f"\nFAILED: {reason}")


def test_offending_rows_are_shown_up_to_a_point() -> None:
    lines = report(PLAN, result(offending=25)).splitlines()
    assert "FAIL     stores agree" in lines
    assert lines.count("         a row") == 20
    assert "         … and 5 more" in lines


def test_a_crowd_that_wants_less_than_there_is_sets_the_goal() -> None:
    assert Plan((BUYER, BUYER), stock=10, room=NO_ROOM, limit_s=60.0).goal == 8
    assert PLAN.goal == 10


def test_progress_is_one_line() -> None:
    ledger = result(sold=5).ledger
    ledger.line.waiting = 2
    line = progress_line(ledger, waiting=1, goal=10, elapsed_s=7.6)
    assert line == (
        "[###############...............] 5/10 sold · 3 came · 0 are here, 2 in line, 1 at the board · 0 retries · 8 s"
    )
