"""Buyers record every answer that must never occur, and none of an honest server's."""

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
CONCERT = SaleConcert("concert", ("tier-0", "tier-1", "tier-2"))


@pytest.fixture(autouse=True)
def _poll_without_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue_behavior, "MIN_POLL_INTERVAL_S", 0.0)


class HonestShop(Shop):
    """Has stock for one person, and refuses exactly what must be refused."""

    def __init__(self, ledger: Ledger) -> None:
        super().__init__(Client((), ledger), ledger, CONCERT)
        self.held: dict[str, tuple[TicketLine, ...]] = {}
        self.bought: dict[str, Receipt] = {}
        self.valid_passes = {PASS}

    async def read_stock(self) -> tuple[TierView, ...] | None:
        return tuple(TierView(tier, 100, 50, 0, 50) for tier in CONCERT.tier_ids)

    async def hold(
        self, lines: Sequence[TicketLine], key: str, *, token: str | None, queue_pass: str | None
    ) -> Held | RefusedMutation:
        owned = sum(receipt.units for receipt in self.bought.values())
        quantity = sum(line.quantity for line in lines)
        if token != TOKEN:
            return RefusedMutation("UNAUTHENTICATED", "")
        if queue_pass not in self.valid_passes:
            return RefusedMutation("NOT_ADMITTED", "")
        if self.held.setdefault(key, tuple(lines)) != tuple(lines):
            return RefusedMutation("IDEMPOTENCY_CONFLICT", "")
        others = sum(line.quantity for other, lines in self.held.items() if other != key for line in lines)
        if quantity > LIMIT_PER_ORDER or owned + others + quantity > LIMIT_PER_PERSON:
            del self.held[key]
            return RefusedMutation("LIMIT_EXCEEDED", "")
        return Held(f"hold-{key}", tuple(lines))

    async def release(self, hold_id: str, *, token: str) -> RefusedMutation | None:
        del self.held[hold_id.removeprefix("hold-")]
        return None

    async def buy(self, hold_id: str, key: str, *, buyer: str, token: str) -> Receipt | RefusedMutation:
        return self.sell(hold_id, self.held[hold_id.removeprefix("hold-")], buyer)

    async def buy_at_once(
        self, lines: Sequence[TicketLine], key: str, *, buyer: str, token: str, queue_pass: str
    ) -> Receipt | RefusedMutation:
        return self.sell(f"order-{key}", tuple(lines), buyer)

    def sell(self, order_id: str, lines: tuple[TicketLine, ...], buyer: str) -> Receipt:
        receipt = Receipt(order_id, buyer, "", lines, 0)
        self.bought[order_id] = receipt
        self.ledger.record_order(receipt)
        self.valid_passes.discard(PASS)
        return receipt


class UncheckedShop(HonestShop):
    """Checks no limit, key, token or pass: each request gets a new hold or a new order."""

    calls = 0

    async def hold(
        self, lines: Sequence[TicketLine], key: str, *, token: str | None, queue_pass: str | None
    ) -> Held | RefusedMutation:
        self.calls += 1
        self.held[f"{key}-{self.calls}"] = tuple(lines)
        return Held(f"hold-{key}-{self.calls}", tuple(lines))

    async def buy(self, hold_id: str, key: str, *, buyer: str, token: str) -> Receipt | RefusedMutation:
        self.calls += 1
        return self.sell(f"order-{self.calls}", self.held[hold_id.removeprefix("hold-")], buyer)


class ShopWithoutValidPasses(HonestShop):
    def __init__(self, ledger: Ledger) -> None:
        super().__init__(ledger)
        self.valid_passes = set()

    async def buy_at_once(
        self, lines: Sequence[TicketLine], key: str, *, buyer: str, token: str, queue_pass: str
    ) -> Receipt | RefusedMutation:
        return RefusedMutation("NOT_ADMITTED", "")


class HonestQueue(QueueClient):
    """The queue of one person. Each entry waits, is called, and expires unless it is claimed."""

    def __init__(self, ledger: Ledger) -> None:
        super().__init__(Client((), ledger), ledger, CONCERT, urls=("http://one.test",), observations=Observations())
        self.claimed_passes = {"other": "stolen"}
        self.number = 0
        self.state = "EXPIRED"

    def entry(self) -> EntryView:
        return EntryView(self.number, self.state, {"WAITING": 1, "READY": 0, "ADMITTED": 0}.get(self.state))

    async def join(self, *, token: str) -> EntryView | RefusedMutation:
        if self.entry().is_over:
            self.number += 1
            self.state = "WAITING"
        return self.entry()

    async def positions(
        self, name: str, *, token: str, drops_after_s: Sequence[float]
    ) -> AsyncGenerator[EntryView, None]:
        states = ("WAITING", "READY", "EXPIRED")
        for state in states[states.index(self.state) :]:
            await asyncio.sleep(0)
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
        if self.state == "WAITING":
            return RefusedMutation("NOT_ADMITTED", "")
        if self.entry().is_over:
            return RefusedMutation("NOT_IN_QUEUE", "")
        self.state = "ADMITTED"
        return QueuePass(PASS, self.number, time.monotonic() + 3_600)

    async def leave(self, *, token: str) -> EntryView | RefusedMutation:
        self.state = self.state if self.entry().is_over else "LEFT"
        return self.entry()


class NewNumberForEachJoin(HonestQueue):
    async def join(self, *, token: str) -> EntryView | RefusedMutation:
        self.state = "EXPIRED"
        return await super().join(token=token)


class NewPassForEachClaim(HonestQueue):
    claims = 0

    async def claim(self, name: str, *, token: str) -> QueuePass | RefusedMutation:
        self.claims += 1
        answer = await super().claim(name, token=token)
        return QueuePass(f"pass {self.claims}", answer.number, 0.0) if isinstance(answer, QueuePass) else answer


class CallsNeverExpire(HonestQueue):
    async def claim(self, name: str, *, token: str) -> QueuePass | RefusedMutation:
        return QueuePass("pass", self.number, 0.0)


class FallingNumbers(HonestQueue):
    async def join(self, *, token: str) -> EntryView | RefusedMutation:
        self.number -= 2
        return await super().join(token=token)


class PushesAnotherEntry(HonestQueue):
    async def positions(
        self, name: str, *, token: str, drops_after_s: Sequence[float]
    ) -> AsyncGenerator[EntryView, None]:
        yield EntryView(self.number + 1, "READY", 0)
        self.state = "READY"


class RefusesClaims(HonestQueue):
    async def claim(self, name: str, *, token: str) -> QueuePass | RefusedMutation:
        return RefusedMutation("NOT_FOUND", "")


class RefusesToLeave(HonestQueue):
    async def leave(self, *, token: str) -> EntryView | RefusedMutation:
        return RefusedMutation("NOT_IN_QUEUE", "")


class PositionsEndEarly(HonestQueue):
    async def positions(
        self, name: str, *, token: str, drops_after_s: Sequence[float]
    ) -> AsyncGenerator[EntryView, None]:
        if self.number > 1:
            self.state = "READY"
            yield self.entry()
        self.state = "EXPIRED"


def make_buyer(
    buyer: BuyerBehavior, queue: QueueBehavior, shop_of: type[HonestShop], queue_of: type[HonestQueue]
) -> tuple[Buyer, Ledger]:
    ledger = Ledger()
    person = Person(
        "buyer1", buyer, 4, 0, takes_two_tiers=False, arrives_after_s=0.0, thinks_s=0.0, queue_behavior=queue,
        patience_s=0.0,
    )  # fmt: skip
    shop = shop_of(ledger)
    stock_poller = StockPoller(shop)
    session = QueueSession(person, TOKEN, queue_of(ledger), stock_poller)
    return Buyer(person, TOKEN, queue_session=session, shop=shop, stock_poller=stock_poller), ledger


async def find_surprises(
    buyer_behavior: BuyerBehavior = BuyerBehavior.BUYS,
    queue_behavior: QueueBehavior = QueueBehavior.SUBSCRIBES,
    *,
    shop: type[HonestShop] = HonestShop,
    queue: type[HonestQueue] = HonestQueue,
    expected: int,
) -> list[str]:
    """Run a buyer until it is done, or has recorded as many surprises as expected."""
    buyer, ledger = make_buyer(buyer_behavior, queue_behavior, shop, queue)
    running = asyncio.create_task(buyer.run())
    await wait_until(lambda: running.done() or 0 < expected <= len(ledger.surprises))
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    return ledger.surprises


@pytest.mark.parametrize("queue_behavior", QueueBehavior)
async def test_honest_server_gives_no_surprise(queue_behavior: QueueBehavior) -> None:
    for buyer_behavior in BuyerBehavior:
        assert await find_surprises(buyer_behavior, queue_behavior, expected=0) == []


@pytest.mark.parametrize(
    ("buyer_behavior", "queue_behavior", "expected"),
    [
        (
            BuyerBehavior.ASKS_TOO_MUCH,
            QueueBehavior.SUBSCRIBES,
            [
                "a hold beyond the limit per order was answered with Held(",
                "a hold beyond the limit per person was answered with Held(",
            ],
        ),
        (BuyerBehavior.REPEATS, QueueBehavior.SUBSCRIBES, ["one key gave two holds", "one key gave two answers"]),
        (
            BuyerBehavior.REUSES_KEY,
            QueueBehavior.SUBSCRIBES,
            ["a used key with other contents was answered"],
        ),
        (BuyerBehavior.HAS_NO_TOKEN, QueueBehavior.SUBSCRIBES, ["a hold without a token was answered with Held("]),
        (BuyerBehavior.FORGES_TOKEN, QueueBehavior.SUBSCRIBES, ["a hold with a forged token was answered with Held("]),
        (
            BuyerBehavior.BUYS,
            QueueBehavior.CHEATS,
            ["without a pass", "an access token for a pass", "a stolen pass", "a forged pass", "a spent pass"],
        ),
    ],
)
async def test_missing_check_of_the_shop_is_found(
    buyer_behavior: BuyerBehavior, queue_behavior: QueueBehavior, expected: list[str]
) -> None:
    surprises = await find_surprises(buyer_behavior, queue_behavior, shop=UncheckedShop, expected=len(expected))
    assert len(surprises) == len(expected)
    for surprise, text in zip(surprises, expected, strict=True):
        assert text in surprise


@pytest.mark.parametrize("buyer_behavior", [BuyerBehavior.BUYS, BuyerBehavior.BUYS_AT_ONCE, BuyerBehavior.REPEATS])
async def test_refusal_of_a_valid_pass_is_found(buyer_behavior: BuyerBehavior) -> None:
    surprises = await find_surprises(buyer_behavior, shop=ShopWithoutValidPasses, expected=1)
    assert "a good pass was refused" in surprises[0]


@pytest.mark.parametrize(
    ("queue_behavior", "queue", "expected"),
    [
        (QueueBehavior.TWO_DEVICES, NewNumberForEachJoin, "two devices got two numbers"),
        (QueueBehavior.TWO_DEVICES, NewPassForEachClaim, "two devices got two passes for one number"),
        (
            QueueBehavior.CLAIMS_LATE,
            CallsNeverExpire,
            "a claim after the call had expired was answered",
        ),
        (QueueBehavior.CLAIMS_LATE, FallingNumbers, "a new entry has number -2, not behind [-1]"),
        (QueueBehavior.SUBSCRIBES, PushesAnotherEntry, "number 1 was pushed as EntryView(number=2"),
        (QueueBehavior.SUBSCRIBES, RefusesClaims, "a claim after the call was answered with RefusedMutation("),
        (QueueBehavior.CHEATS, RefusesClaims, "a claim before the call was answered with RefusedMutation("),
        (QueueBehavior.LEAVES, RefusesToLeave, "a leave was answered with RefusedMutation("),
        (QueueBehavior.SUBSCRIBES, PositionsEndEarly, "the positions of number 1 ended before the entry"),
    ],
)
async def test_false_answer_of_the_queue_is_found(
    queue_behavior: QueueBehavior, queue: type[HonestQueue], expected: str
) -> None:
    surprises = await find_surprises(queue_behavior=queue_behavior, queue=queue, expected=1)
    assert expected in surprises[0]


async def test_error_of_an_action_is_not_taken_for_the_end() -> None:
    async def fail() -> None:
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        await StockPoller(HonestShop(Ledger())).unless_sold_out(fail())
