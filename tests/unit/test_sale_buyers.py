"""Buyers record every answer that must never occur, and nothing if the server is correct."""

import asyncio
import time
from collections.abc import AsyncGenerator, Sequence

import pytest

from bench.clients.catalog import LIMIT_PER_ORDER, LIMIT_PER_PERSON, SaleConcert
from bench.clients.http_client import Client
from bench.clients.ledger import Ledger, Receipt, TicketLine
from bench.clients.mutations import RefusedMutation
from bench.clients.observations import Observations
from bench.clients.queue_client import EntryView, QueueClient, QueuePass
from bench.clients.shop import Held, Shop, TierView
from proofs.sale.buyers import queue_behavior
from proofs.sale.buyers.buyer import Buyer
from proofs.sale.buyers.people import BuyerBehavior, Person, QueueBehavior
from proofs.sale.buyers.queue_behavior import QueueSession
from proofs.sale.buyers.stock_poller import StockPoller
from tests.support.waiting import wait_until

TOKEN = "e30.e30.c2ln"
PASS = "e30.e30.cGFzcw"
SUBSCRIBES = QueueBehavior.SUBSCRIBES
CONCERT = SaleConcert("concert", ("tier-0", "tier-1", "tier-2"))


@pytest.fixture(autouse=True)
def _poll_without_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue_behavior, "MIN_POLL_INTERVAL_S", 0.0)


class FakeShop(Shop):
    """A shop that refuses exactly the requests that it should, unless it has a fault."""

    def __init__(self, ledger: Ledger, fault: str) -> None:
        super().__init__(Client((), ledger), ledger, CONCERT)
        self.has_no_checks = fault == "no checks"
        self.calls = 0
        self.held: dict[str, tuple[TicketLine, ...]] = {}
        self.bought: dict[str, Receipt] = {}
        self.valid_passes = set() if fault == "refuses passes" else {PASS}

    async def read_stock(self) -> tuple[TierView, ...] | None:
        return tuple(TierView(tier, 100, 50, 0, 50) for tier in CONCERT.tier_ids)

    async def hold(
        self, lines: Sequence[TicketLine], key: str, *, token: str | None, queue_pass: str | None
    ) -> Held | RefusedMutation:
        self.calls += 1
        if self.has_no_checks:
            self.held[f"{key}-{self.calls}"] = tuple(lines)
            return Held(f"{key}-{self.calls}", tuple(lines))
        if token != TOKEN:
            return RefusedMutation("UNAUTHENTICATED", "")
        if queue_pass not in self.valid_passes:
            return RefusedMutation("NOT_ADMITTED", "")
        if self.held.setdefault(key, tuple(lines)) != tuple(lines):
            return RefusedMutation("IDEMPOTENCY_CONFLICT", "")
        others = sum(line.quantity for other, lines in self.held.items() if other != key for line in lines)
        quantity = sum(line.quantity for line in lines)
        owned = sum(receipt.units for receipt in self.bought.values())
        if quantity > LIMIT_PER_ORDER or owned + others + quantity > LIMIT_PER_PERSON:
            del self.held[key]
            return RefusedMutation("LIMIT_EXCEEDED", "")
        return Held(key, tuple(lines))

    async def release(self, hold_id: str, *, token: str) -> RefusedMutation | None:
        del self.held[hold_id]
        return None

    async def buy(
        self, hold_id: str, key: str, *, buyer: str, token: str, cards: Sequence[str] = ()
    ) -> Receipt | RefusedMutation:
        self.calls += 1
        return self.sell(f"order-{self.calls}" if self.has_no_checks else hold_id, self.held[hold_id], buyer)

    async def buy_without_paying(self, hold_id: str, key: str, *, buyer: str, token: str) -> RefusedMutation | None:
        self.sell(hold_id, self.held[hold_id], buyer)
        return None

    async def buy_at_once(
        self, lines: Sequence[TicketLine], key: str, *, buyer: str, token: str, queue_pass: str
    ) -> Receipt | RefusedMutation:
        return self.sell(key, tuple(lines), buyer) if self.valid_passes else RefusedMutation("NOT_ADMITTED", "")

    def sell(self, order_id: str, lines: tuple[TicketLine, ...], buyer: str) -> Receipt:
        self.bought[order_id] = Receipt(order_id, buyer, "", lines, 0)
        self.valid_passes.discard(PASS)
        return self.bought[order_id]


class FakeQueue(QueueClient):
    """A queue with one person: each entry waits, is called, and expires unless it is claimed."""

    def __init__(self, ledger: Ledger, fault: str) -> None:
        super().__init__(Client((), ledger), ledger, CONCERT, urls=("http://one.test",), observations=Observations())
        self.claimed_passes = {"other": "stolen"}
        self.fault = fault
        self.claims = 0
        self.number = 0
        self.state = "EXPIRED"

    def entry(self) -> EntryView:
        return EntryView(self.number, self.state, {"WAITING": 1, "READY": 0, "ADMITTED": 0}.get(self.state))

    async def join(self, *, token: str) -> EntryView | RefusedMutation:
        if self.fault == "falling numbers":
            self.number -= 2
        if self.entry().is_over or self.fault == "a number for each join":
            self.number += 1
            self.state = "WAITING"
        return self.entry()

    async def positions(
        self, name: str, *, token: str, drops_after_s: Sequence[float]
    ) -> AsyncGenerator[EntryView, None]:
        if self.fault == "pushes another entry":
            yield EntryView(self.number + 1, "READY", 0)
        states = ("WAITING", "READY", "EXPIRED")
        for state in states[states.index(self.state) :]:
            await asyncio.sleep(0)
            if self.fault == "positions end early":
                return
            if not self.entry().is_over:
                self.state = state
            yield self.entry()
            if self.entry().is_over:
                return

    async def read_entry(self, *, token: str) -> EntryView | RefusedMutation:
        self.state = "READY" if self.state == "WAITING" else self.state
        return self.entry()

    async def heartbeat(self, *, token: str) -> EntryView | RefusedMutation:
        return await self.read_entry(token=token)

    async def claim(self, name: str, *, token: str) -> QueuePass | RefusedMutation:
        self.claims += 1
        if self.fault == "refuses claims":
            return RefusedMutation("NOT_FOUND", "")
        if self.state == "WAITING":
            return RefusedMutation("NOT_ADMITTED", "")
        if self.entry().is_over and self.fault != "calls never expire":
            return RefusedMutation("NOT_IN_QUEUE", "")
        self.state = "ADMITTED"
        token = f"pass {self.claims}" if self.fault == "a pass for each claim" else PASS
        return QueuePass(token, self.number, time.monotonic() + 3_600)

    async def leave(self, *, token: str) -> EntryView | RefusedMutation:
        if self.fault == "refuses to leave":
            return RefusedMutation("NOT_IN_QUEUE", "")
        self.state = self.state if self.entry().is_over else "LEFT"
        return self.entry()


async def find_surprises(
    buyer_behavior: BuyerBehavior = BuyerBehavior.BUYS,
    queue_behavior: QueueBehavior = QueueBehavior.SUBSCRIBES,
    *,
    fault: str = "",
    expected: int,
) -> list[str]:
    """Run a buyer until it is done or has recorded the expected number of surprises."""
    person = Person(
        "buyer1", buyer_behavior, 4, 0, takes_two_tiers=False, arrives_after_s=0.0, thinks_s=0.0,
        queue_behavior=queue_behavior, patience_s=0.0,
    )  # fmt: skip
    ledger = Ledger()
    shop, stock_poller = FakeShop(ledger, fault), StockPoller(FakeShop(ledger, fault))
    session = QueueSession(person, TOKEN, FakeQueue(ledger, fault), stock_poller)
    buyer = Buyer(person, TOKEN, queue_session=session, shop=shop, stock_poller=stock_poller)
    running = asyncio.create_task(buyer.run())
    await wait_until(lambda: running.done() or 0 < expected <= len(ledger.surprises))
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    return ledger.surprises


@pytest.mark.parametrize("queue_behavior", QueueBehavior)
async def test_correct_server_causes_no_surprises(queue_behavior: QueueBehavior) -> None:
    for buyer_behavior in BuyerBehavior:
        assert await find_surprises(buyer_behavior, queue_behavior, expected=0) == []


@pytest.mark.parametrize(
    ("buyer_behavior", "queue_behavior", "expected"),
    [
        (BuyerBehavior.ASKS_FOR_TOO_MUCH, SUBSCRIBES, ["beyond the limit per order", "beyond the limit per person"]),
        (BuyerBehavior.REPEATS, SUBSCRIBES, ["one key gave two holds", "one key gave two answers"]),
        (BuyerBehavior.REUSES_KEY, SUBSCRIBES, ["a reused key with different input was answered with Held("]),
        (BuyerBehavior.HAS_NO_TOKEN, SUBSCRIBES, ["a hold without a token was answered with Held("]),
        (BuyerBehavior.FORGES_TOKEN, SUBSCRIBES, ["a hold with a forged token was answered with Held("]),
        (BuyerBehavior.BUYS, QueueBehavior.CHEATS, ["without a pass", "an access token", "stolen", "forged", "spent"]),
    ],
)
async def test_missing_check_in_the_shop_is_found(
    buyer_behavior: BuyerBehavior, queue_behavior: QueueBehavior, expected: list[str]
) -> None:
    surprises = await find_surprises(buyer_behavior, queue_behavior, fault="no checks", expected=len(expected))
    assert len(surprises) == len(expected)
    for surprise, text in zip(surprises, expected, strict=True):
        assert text in surprise


@pytest.mark.parametrize("buyer_behavior", [BuyerBehavior.BUYS, BuyerBehavior.BUYS_AT_ONCE, BuyerBehavior.REPEATS])
async def test_refusal_of_a_valid_pass_is_found(buyer_behavior: BuyerBehavior) -> None:
    surprises = await find_surprises(buyer_behavior, fault="refuses passes", expected=1)
    assert "a valid pass was refused" in surprises[0]


@pytest.mark.parametrize(
    ("queue_behavior", "fault", "expected"),
    [
        (QueueBehavior.TWO_DEVICES, "a number for each join", "two devices got two numbers"),
        (QueueBehavior.TWO_DEVICES, "a pass for each claim", "two devices got two passes for one number"),
        (QueueBehavior.CLAIMS_LATE, "calls never expire", "a claim after the call had expired was answered"),
        (QueueBehavior.CLAIMS_LATE, "falling numbers", "a new entry has number -2, not behind [-1]"),
        (QueueBehavior.SUBSCRIBES, "pushes another entry", "number 1 was pushed as EntryView(number=2"),
        (QueueBehavior.SUBSCRIBES, "refuses claims", "a claim after the call was answered with RefusedMutation("),
        (QueueBehavior.CHEATS, "refuses claims", "a claim before the call was answered with RefusedMutation("),
        (QueueBehavior.LEAVES, "refuses to leave", "a request to leave was answered with RefusedMutation("),
        (QueueBehavior.SUBSCRIBES, "positions end early", "the positions of number 1 ended before the entry"),
    ],
)
async def test_wrong_answer_from_the_queue_is_found(queue_behavior: QueueBehavior, fault: str, expected: str) -> None:
    surprises = await find_surprises(queue_behavior=queue_behavior, fault=fault, expected=1)
    assert expected in surprises[0]


async def test_error_in_an_action_is_not_mistaken_for_sold_out() -> None:
    async def fail() -> None:
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        await StockPoller(FakeShop(Ledger(), "")).unless_sold_out(fail())
