"""A visitor notices what nobody should be told: each habit in a shop that is honest, and in one that is not."""

import time
from collections.abc import Sequence

import pytest

from bench.sale.board import Board
from bench.sale.catalog import LIMIT_PER_ORDER, LIMIT_PER_PERSON, SaleConcert
from bench.sale.client import Client
from bench.sale.desk import Refused
from bench.sale.entrance import Entrance
from bench.sale.ledger import Ledger, Line, Receipt
from bench.sale.line import QueuePass, WaitingLine
from bench.sale.people import Habit, Manner, Person
from bench.sale.shop import Held, Shop, TierView
from bench.sale.sightings import Sightings
from bench.sale.visit import Visit

TOKEN = "e30.e30.c2ln"
PASS = "e30.e30.cGFzcw"
TIERS = ("tier-0", "tier-1", "tier-2")


class HonestShop(Shop):
    """One person's, with stock for everybody: refuses exactly what has to be refused."""

    def __init__(self, ledger: Ledger) -> None:
        super().__init__(Client((), ledger), ledger, SaleConcert("concert", TIERS))
        self.books = ledger
        self.held: dict[str, tuple[Line, ...]] = {}
        self.bought: dict[str, Receipt] = {}
        self.good_passes = {PASS}

    async def look(self) -> tuple[TierView, ...] | None:
        return tuple(TierView(tier, 100, 50, 0, 50) for tier in TIERS)

    async def hold(
        self, lines: Sequence[Line], key: str, *, token: str | None, queue_pass: str | None
    ) -> Held | Refused:
        owned = sum(receipt.units for receipt in self.bought.values())
        quantity = sum(line.quantity for line in lines)
        if token != TOKEN:
            return Refused("UNAUTHENTICATED", "")
        if queue_pass not in self.good_passes:
            return Refused("NOT_ADMITTED", "")
        if self.held.setdefault(key, tuple(lines)) != tuple(lines):
            return Refused("IDEMPOTENCY_CONFLICT", "")
        others = sum(line.quantity for other, lines in self.held.items() if other != key for line in lines)
        if quantity > LIMIT_PER_ORDER or owned + others + quantity > LIMIT_PER_PERSON:
            del self.held[key]
            return Refused("LIMIT_EXCEEDED", "")
        return Held(f"hold-{key}", tuple(lines))

    async def release(self, hold_id: str, *, token: str) -> Refused | None:
        del self.held[hold_id.removeprefix("hold-")]
        return None

    async def buy(self, hold_id: str, key: str, *, buyer: str, token: str) -> Receipt | Refused:
        return self._sell(hold_id, self.held[hold_id.removeprefix("hold-")], buyer)

    async def buy_at_once(
        self, lines: Sequence[Line], key: str, *, buyer: str, token: str, queue_pass: str
    ) -> Receipt | Refused:
        return self._sell(f"order-{key}", tuple(lines), buyer)

    def _sell(self, order_id: str, lines: tuple[Line, ...], buyer: str) -> Receipt:
        receipt = Receipt(order_id, buyer, "", lines, 0)
        self.bought[order_id] = receipt
        self.books.book(receipt)
        self.good_passes.discard(PASS)
        return receipt


class ForgetfulShop(HonestShop):
    """Knows no limit, key, token or pass: every request gets a hold of its own, every purchase an order."""

    calls = 0

    async def hold(
        self, lines: Sequence[Line], key: str, *, token: str | None, queue_pass: str | None
    ) -> Held | Refused:
        self.calls += 1
        self.held[f"{key}-{self.calls}"] = tuple(lines)
        return Held(f"hold-{key}-{self.calls}", tuple(lines))

    async def buy(self, hold_id: str, key: str, *, buyer: str, token: str) -> Receipt | Refused:
        self.calls += 1
        return self._sell(f"order-{self.calls}", self.held[hold_id.removeprefix("hold-")], buyer)


class DistrustfulShop(HonestShop):
    """Takes no pass, however good."""

    def __init__(self, ledger: Ledger) -> None:
        super().__init__(ledger)
        self.good_passes = set()

    async def buy_at_once(
        self, lines: Sequence[Line], key: str, *, buyer: str, token: str, queue_pass: str
    ) -> Receipt | Refused:
        return Refused("NOT_ADMITTED", "")


class OpenDoor(Entrance):
    """Gives a pass at once, and no second one."""

    def __init__(self, person: Person, line: WaitingLine, board: Board) -> None:
        super().__init__(person, TOKEN, line, board)
        self.passes = [QueuePass(PASS, 1, time.monotonic() + 15)]
        self.went_out = False

    async def come_in(self) -> QueuePass | None:
        return self.passes.pop() if self.passes else None

    async def go_out(self) -> None:
        self.went_out = True

    def somebodys_pass(self) -> str | None:
        return "stolen"


async def visit(habit: Habit, kind: type[HonestShop], manner: Manner = Manner.WATCHES) -> tuple[Ledger, OpenDoor]:
    ledger = Ledger()
    shop = kind(ledger)
    concert = SaleConcert("concert", TIERS)
    line = WaitingLine(Client((), ledger), ledger, concert, urls=(), sightings=Sightings())
    person = Person(
        "buyer1", habit, 4, 0, takes_two_tiers=False, arrives_after_s=0.0, thinks_s=0.0, manner=manner
    )  # fmt: skip
    board = Board(shop)
    door = OpenDoor(person, line, board)
    await Visit(person, TOKEN, entrance=door, shop=shop, board=board).run()
    assert (ledger.arrived, ledger.left) == (1, 1)
    return ledger, door


@pytest.mark.parametrize("habit", Habit)
async def test_an_honest_shop_surprises_nobody(habit: Habit) -> None:
    for manner in (Manner.WATCHES, Manner.PUSHES_IN):
        assert (await visit(habit, HonestShop, manner))[0].surprises == []


BUYING = {
    Habit.BUYS,
    Habit.BUYS_AT_ONCE,
    Habit.WAVERS,
    Habit.ASKS_TOO_MUCH,
    Habit.REPEATS,
    Habit.REUSES_KEY,
}


@pytest.mark.parametrize("habit", Habit)
async def test_a_visitor_buys_one_order_or_none(habit: Habit) -> None:
    assert (await visit(habit, HonestShop))[0].sold_units == (4 if habit in BUYING else 0)


@pytest.mark.parametrize(
    ("habit", "noticed"),
    [
        (
            Habit.ASKS_TOO_MUCH,
            [
                "a hold beyond the limit per order was answered with Held(",
                "a hold beyond the limit per person was answered with Held(",
            ],
        ),
        (Habit.REPEATS, ["one key gave two holds", "one key gave two answers"]),
        (Habit.REUSES_KEY, ["a used key with other contents was answered with Held("]),
        (Habit.HAS_NO_TOKEN, ["a hold without a token was answered with Held("]),
        (Habit.FORGES_TOKEN, ["a hold with a forged token was answered with Held("]),
    ],
)
async def test_a_forgetful_shop_is_noticed(habit: Habit, noticed: list[str]) -> None:
    surprises = (await visit(habit, ForgetfulShop))[0].surprises
    assert len(surprises) == len(noticed)
    for surprise, words in zip(surprises, noticed, strict=True):
        assert words in surprise


async def test_a_shop_that_takes_any_pass_is_noticed() -> None:
    surprises = (await visit(Habit.BUYS, ForgetfulShop, Manner.PUSHES_IN))[0].surprises
    whose = ("without a pass", "with an access token for a pass", "with a stolen pass", "with a forged pass", "spent")
    assert len(surprises) == len(whose)
    for surprise, words in zip(surprises, whose, strict=True):
        assert words in surprise


@pytest.mark.parametrize("habit", BUYING)
async def test_a_shop_that_refuses_a_good_pass_is_noticed(habit: Habit) -> None:
    surprises = (await visit(habit, DistrustfulShop))[0].surprises
    assert any("a good pass was refused" in surprise for surprise in surprises)


@pytest.mark.parametrize(("habit", "gone"), [(Habit.GIVES_UP, True), (Habit.WAVERS, False), (Habit.VANISHES, False)])
async def test_only_who_gives_up_gives_the_pass_back(habit: Habit, gone: bool) -> None:
    assert (await visit(habit, HonestShop))[1].went_out is gone
