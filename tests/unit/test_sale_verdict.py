"""A sale succeeds only if every check passes, every ticket is sold, and the kill takes place."""

import asyncio
from datetime import UTC, datetime

import pytest

from bench.clients.catalog import SaleConcert
from bench.clients.http_client import Client
from bench.clients.ledger import Ledger, Receipt, TicketLine
from bench.clients.shop import Shop, TierView
from domain.concerts import Concert, ConcertStatus, ConcertTerms, Venue
from domain.ids import ConcertId, PersonId
from domain.money import CurrencyCode
from domain.queues import NO_ROOM
from proofs.sale.buyers.people import BuyerBehavior, Person, QueueBehavior
from proofs.sale.buyers.stock_poller import StockPoller
from proofs.sale.driver import drive_sale
from proofs.sale.records.invariants import Verdict
from proofs.sale.records.store_dump import StoreDump
from proofs.sale.report import failures, report
from proofs.sale.sale import Plan, Result

NOW = datetime(2026, 11, 20, tzinfo=UTC)
CONCERT = Concert(
    terms=ConcertTerms("C", Venue("V", "C", "NL"), "", NOW, NOW, NOW, 4, 6, 10_000),
    id=ConcertId("c"),
    slug="c",
    currency=CurrencyCode.EUR,
    tiers=(),
    status=ConcertStatus.PUBLISHED,
    version=1,
    epoch=1,
    created_by=PersonId("olivia"),
    organizer_id=PersonId("olivia"),
    created_at=NOW,
)


def person(buyer: BuyerBehavior = BuyerBehavior.BUYS, queue: QueueBehavior = QueueBehavior.SUBSCRIBES) -> Person:
    return Person("buyer1", buyer, 4, 0, takes_two_tiers=False, arrives_after_s=0, thinks_s=0, queue_behavior=queue)


PLAN = Plan((person(),) * 3, stock=10, room=NO_ROOM, limit_s=60.0)


def result(*, sold: int = 10, offending: int = 0, surprises: int = 0, cut_short: str | None = None) -> Result:
    ledger = Ledger(arrived=3, done=3, surprises=["surprise"] * surprises)
    ledger.record_order(Receipt("order", "buyer1", "", (TicketLine("tier", sold),), 0))
    verdicts = (Verdict("stores agree", ("a row",) * offending), Verdict("limits kept", ()))
    return Result(ledger, StoreDump(CONCERT, (), {}, {}, (), {}, {}, {}), verdicts, lasted_s=12.3, cut_short=cut_short)


def test_successful_sale_has_no_failure() -> None:
    assert failures(PLAN, result()) == []
    assert report(PLAN, result()).endswith("10 of 10 sold, 0 oversold, to 3 people in 12 s")
    assert "FAIL" not in report(PLAN, result())


@pytest.mark.parametrize(
    ("failed", "reason"),
    [
        (result(offending=25), "stores agree: 25 rows"),
        (result(surprises=3), "3 answers that must never occur"),
        (result(cut_short="some buyers were not done"), "some buyers were not done"),
        (result(sold=9), "9 tickets sold, not 10"),
        (result(sold=11), "11 tickets sold, not 10"),
    ],
)
def test_failed_sale_names_its_failure(failed: Result, reason: str) -> None:
    assert failures(PLAN, failed) == [reason]
    assert report(PLAN, failed).endswith(f"\nFAILED: {reason}")


def test_goal_is_the_smaller_of_stock_and_demand() -> None:
    others = (person(BuyerBehavior.GIVES_UP), person(queue=QueueBehavior.LEAVES))
    assert Plan((person(), person(), *others), stock=10, room=NO_ROOM, limit_s=60.0).goal == 8
    assert PLAN.goal == 10


class EmptyShop(Shop):
    async def read_stock(self) -> tuple[TierView, ...] | None:
        return None


class StubBuyer:
    """Buys `units`, or never finishes if `units` is None."""

    def __init__(self, ledger: Ledger, number: int, units: int | None) -> None:
        self.ledger, self.number, self.units = ledger, number, units

    async def run(self) -> None:
        if self.units is None:
            await asyncio.Event().wait()
        else:
            receipt = Receipt(f"order-{self.number}", "buyer", "", (TicketLine("tier", self.units),), 0)
            self.ledger.record_order(receipt)


@pytest.mark.parametrize(
    ("units", "limit_s", "cut_short", "kills"),
    [
        ((4, 4, 2), 60.0, None, 1),
        ((4, 4, None), 0.2, "some buyers were not done after 0 s; 0 of 0 were waiting for released tickets", 1),
        ((4,), 60.0, "half of the goal was never sold, so nothing was killed", 0),
    ],
)
async def test_process_is_killed_once_half_of_the_goal_is_sold(
    units: tuple[int | None, ...], limit_s: float, cut_short: str | None, kills: int
) -> None:
    ledger, killed = Ledger(), list[int]()
    buyers = [StubBuyer(ledger, number, count) for number, count in enumerate(units)]
    stock_poller = StockPoller(EmptyShop(Client((), ledger), ledger, SaleConcert("concert", ("tier",))))

    async def kill() -> None:
        killed.append(ledger.sold_units)

    end = await drive_sale(buyers, stock_poller, ledger, goal=10, limit_s=limit_s, kill=kill)
    assert (end, len(killed)) == (cut_short, kills)
