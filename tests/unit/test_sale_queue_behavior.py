"""Each manner of waiting in a line that is honest, and what is noticed in one that is not."""

import asyncio
import time
from collections.abc import AsyncGenerator, Sequence
from dataclasses import replace

import pytest

from bench.sale.catalog import SaleConcert
from bench.sale.client import Client
from bench.sale.ledger import Ledger
from bench.sale.mutations import RefusedMutation
from bench.sale.observations import Observations
from bench.sale.people import STAYS_OUTSIDE, BuyerBehavior, Person, QueueBehavior
from bench.sale.queue_behavior import QueueSession, is_good
from bench.sale.queue_client import EntryView, QueueClient, QueuePass
from bench.sale.shop import Shop, TierView
from bench.sale.stock_poller import StockPoller

NOT_CALLED = RefusedMutation("NOT_ADMITTED", "")
NOT_THERE = RefusedMutation("NOT_IN_QUEUE", "")


@pytest.fixture(autouse=True)
def _nobody_dawdles(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.sale.queue_behavior.SOONEST_S", 0.0)


class HonestLine(QueueClient):
    """One person's. Each place waits, is called, and lapses if it is watched on; a claim in time gets one pass."""

    def __init__(self) -> None:
        ledger = Ledger()
        super().__init__(
            Client((), ledger),
            ledger,
            SaleConcert("concert", ()),
            urls=("http://one.test",),
            observations=Observations(),
        )
        self.number = 0
        self.state = "EXPIRED"
        self.life: tuple[str, ...] = ("WAITING", "READY", "EXPIRED")

    def place(self) -> EntryView:
        return EntryView(self.number, self.state, {"WAITING": 1, "READY": 0, "ADMITTED": 0}.get(self.state))

    async def join(self, *, token: str) -> EntryView | RefusedMutation:
        if self.place().is_over:
            self.number += 1
            self.state = "WAITING"
        self.ledger.line.joined.add(self.number)
        return self.place()

    async def positions(
        self, name: str, *, token: str, drops_after_s: Sequence[float]
    ) -> AsyncGenerator[EntryView, None]:
        for state in self.life[self.life.index(self.state) :]:
            await asyncio.sleep(0)
            if not self.place().is_over:
                self.state = state
            yield self._seen(self.place())
            if self.place().is_over:
                return

    async def ask(self, *, token: str) -> EntryView | RefusedMutation:
        self.state = "READY" if self.state == "WAITING" else self.state
        return self._seen(self.place())

    async def heartbeat(self, *, token: str) -> EntryView | RefusedMutation:
        return await self.ask(token=token)

    async def claim(self, name: str, *, token: str) -> QueuePass | RefusedMutation:
        if self.state == "WAITING":
            return NOT_CALLED
        if self.place().is_over:
            return NOT_THERE
        self.state = "ADMITTED"
        return QueuePass(f"pass-{self.number}", self.number, time.monotonic() + 15)

    async def leave(self, *, token: str) -> EntryView | RefusedMutation:
        self.state = self.state if self.place().is_over else "LEFT"
        return self.place()


class TwoNumbers(HonestLine):
    async def join(self, *, token: str) -> EntryView | RefusedMutation:
        self.state = "EXPIRED"
        return await super().join(token=token)


class TwoPasses(HonestLine):
    claims = 0

    async def claim(self, name: str, *, token: str) -> QueuePass | RefusedMutation:
        self.claims += 1
        answer = await super().claim(name, token=token)
        return QueuePass(f"pass {self.claims}", answer.number, 0.0) if isinstance(answer, QueuePass) else answer


class NeverLapses(HonestLine):
    async def claim(self, name: str, *, token: str) -> QueuePass | RefusedMutation:
        return QueuePass("pass", self.number, 0.0)


class SmallerNumbers(HonestLine):
    async def join(self, *, token: str) -> EntryView | RefusedMutation:
        self.number -= 2
        return await super().join(token=token)


class SomebodyElses(HonestLine):
    async def positions(
        self, name: str, *, token: str, drops_after_s: Sequence[float]
    ) -> AsyncGenerator[EntryView, None]:
        yield self._seen(EntryView(self.number + 1, "READY", 0))
        self.state = "READY"


class RefusesClaims(HonestLine):
    async def claim(self, name: str, *, token: str) -> QueuePass | RefusedMutation:
        return RefusedMutation("NOT_FOUND", "")


class RefusesToLetGo(HonestLine):
    async def leave(self, *, token: str) -> EntryView | RefusedMutation:
        return NOT_THERE


class Breaks(HonestLine):
    async def positions(
        self, name: str, *, token: str, drops_after_s: Sequence[float]
    ) -> AsyncGenerator[EntryView, None]:
        if self.number > 1:
            self.state = "READY"
            yield self._seen(self.place())
        self.state = "EXPIRED"


def queue_session(queue_behavior: QueueBehavior, line: QueueClient) -> tuple[QueueSession, StockPoller]:
    person = Person("buyer1", BuyerBehavior.BUYS, 1, 0, takes_two_tiers=False, arrives_after_s=0.0, thinks_s=0.0)
    someone = replace(person, queue_behavior=queue_behavior, patience_s=0.0)
    stock_poller = StockPoller(Shop(Client((), line.ledger), line.ledger, SaleConcert("concert", ())))
    return QueueSession(someone, "token", line, stock_poller), stock_poller


async def come_in(queue_behavior: QueueBehavior, line: QueueClient) -> QueuePass | None:
    async with asyncio.timeout(10):
        return await queue_session(queue_behavior, line)[0].get_pass()


@pytest.mark.parametrize("queue_behavior", QueueBehavior)
async def test_whoever_wants_a_pass_gets_one_and_nothing_surprises(queue_behavior: QueueBehavior) -> None:
    line = HonestLine()
    found = await come_in(queue_behavior, line)
    assert line.ledger.surprises == []
    number = 2 if queue_behavior is QueueBehavior.CLAIMS_LATE else 1
    assert (found.token if found else None) == (None if queue_behavior in STAYS_OUTSIDE else f"pass-{number}")


@pytest.mark.parametrize(
    ("queue_behavior", "called", "expired", "left"),
    [
        (QueueBehavior.WATCHES, {1}, set(), set()),
        (QueueBehavior.ASKS, {1}, set(), set()),
        (QueueBehavior.CLAIMS_LATE, {1, 2}, {1}, set()),
        (QueueBehavior.NEVER_CLAIMS, {1}, {1}, set()),
        (QueueBehavior.LEAVES, set(), set(), {1}),
        (QueueBehavior.WALKS_OFF, set(), set(), {1}),
    ],
)
async def test_what_became_of_a_place_is_booked(
    queue_behavior: QueueBehavior, called: set[int], expired: set[int], left: set[int]
) -> None:
    line = HonestLine()
    await come_in(queue_behavior, line)
    book = line.ledger.line
    assert (book.called - book.left, line.observations.expired.keys() - book.left, book.left) == (called, expired, left)


@pytest.mark.parametrize(
    ("queue_behavior", "kind", "noticed"),
    [
        (QueueBehavior.TWO_DEVICES, TwoNumbers, "two devices got two numbers"),
        (QueueBehavior.TWO_DEVICES, TwoPasses, "two devices got two passes for one number"),
        (QueueBehavior.CLAIMS_LATE, NeverLapses, "a claim after the call had lapsed was answered with QueuePass("),
        (QueueBehavior.CLAIMS_LATE, SmallerNumbers, "a new place has number -2, not behind [-1]"),
        (QueueBehavior.WATCHES, SomebodyElses, "number 1 was pushed as EntryView(number=2"),
        (QueueBehavior.WATCHES, RefusesClaims, "a claim after the call was answered with RefusedMutation("),
        (QueueBehavior.PUSHES_IN, RefusesClaims, "a claim before the call was answered with RefusedMutation("),
        (QueueBehavior.LEAVES, RefusesToLetGo, "a place given up was answered with RefusedMutation("),
        (QueueBehavior.WATCHES, Breaks, "the positions of number 1 ended before the place"),
    ],
)
async def test_a_false_line_is_noticed(queue_behavior: QueueBehavior, kind: type[HonestLine], noticed: str) -> None:
    line = kind()
    coming = asyncio.create_task(come_in(queue_behavior, line))
    await asyncio.wait({coming}, timeout=0.2)
    coming.cancel()
    await asyncio.gather(coming, return_exceptions=True)
    assert any(noticed in surprise for surprise in line.ledger.surprises), line.ledger.surprises


async def test_nobody_waits_when_all_is_sold() -> None:
    line = HonestLine()
    line.life = ("WAITING",)
    someone, stock_poller = queue_session(QueueBehavior.ASKS, line)
    coming = asyncio.create_task(someone.get_pass())
    stock_poller._show([TierView("tier", 10, 0, 0, 10)])
    assert await asyncio.wait_for(coming, 5) is None


async def test_a_pass_is_given_back() -> None:
    line = HonestLine()
    someone, _ = queue_session(QueueBehavior.WATCHES, line)
    await someone.get_pass()
    await someone.leave()
    assert (line.state, line.ledger.line.left, line.ledger.surprises) == ("LEFT", {1}, [])


def test_a_pass_is_good_until_its_time() -> None:
    now_s = time.monotonic()
    assert is_good(QueuePass("pass", 1, now_s + 5))
    assert not is_good(QueuePass("pass", 1, now_s + 5), for_s=6)
    assert not is_good(QueuePass("pass", 1, now_s - 1))
