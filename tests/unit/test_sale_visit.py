"""A visitor notices what nobody should be told: each habit in a shop that is honest, and in one that is not."""

from collections.abc import Sequence

import pytest

from bench.sale.board import Board
from bench.sale.catalog import LIMIT_PER_ORDER, LIMIT_PER_PERSON, SaleConcert
from bench.sale.client import Client
from bench.sale.ledger import Ledger, Line, Receipt
from bench.sale.people import Habit, Person
from bench.sale.shop import Held, Refused, Shop, TierView
from bench.sale.visit import Visit

TOKEN = "e30.e30.c2ln"
TIERS = ("tier-0", "tier-1", "tier-2")


class HonestShop(Shop):
    """One person's, with stock for everybody: refuses exactly what has to be refused."""

    def __init__(self, ledger: Ledger) -> None:
        super().__init__(Client((), ledger), ledger, SaleConcert("concert", TIERS))
        self.books = ledger
        self.held: dict[str, tuple[Line, ...]] = {}
        self.bought: dict[str, Receipt] = {}

    async def look(self) -> tuple[TierView, ...] | None:
        return tuple(TierView(tier, 100, 50, 0, 50) for tier in TIERS)

    async def hold(self, lines: Sequence[Line], key: str, *, token: str | None) -> Held | Refused:
        owned = sum(receipt.units for receipt in self.bought.values())
        quantity = sum(line.quantity for line in lines)
        if token != TOKEN:
            return Refused("UNAUTHENTICATED", "")
        if self.held.setdefault(key, tuple(lines)) != tuple(lines):
            return Refused("IDEMPOTENCY_CONFLICT", "")
        if quantity > LIMIT_PER_ORDER or owned + quantity > LIMIT_PER_PERSON:
            return Refused("LIMIT_EXCEEDED", "")
        return Held(f"hold-{key}", tuple(lines))

    async def release(self, hold_id: str, *, token: str) -> Refused | None:
        return None

    async def buy(self, hold_id: str, key: str, *, buyer: str, token: str) -> Receipt | Refused:
        return self._sell(hold_id, self.held[hold_id.removeprefix("hold-")], buyer)

    async def buy_at_once(self, lines: Sequence[Line], key: str, *, buyer: str, token: str) -> Receipt | Refused:
        return self._sell(f"order-{key}", tuple(lines), buyer)

    def _sell(self, order_id: str, lines: tuple[Line, ...], buyer: str) -> Receipt:
        receipt = Receipt(order_id, buyer, "", lines, 0)
        self.bought[order_id] = receipt
        self.books.book(receipt)
        return receipt


class ForgetfulShop(HonestShop):
    """Knows no limit, no key, no token: every request gets a hold of its own, every purchase an order."""

    calls = 0

    async def hold(self, lines: Sequence[Line], key: str, *, token: str | None) -> Held | Refused:
        self.calls += 1
        self.held[f"{key}-{self.calls}"] = tuple(lines)
        return Held(f"hold-{key}-{self.calls}", tuple(lines))

    async def buy(self, hold_id: str, key: str, *, buyer: str, token: str) -> Receipt | Refused:
        self.calls += 1
        return self._sell(f"order-{self.calls}", self.held[hold_id.removeprefix("hold-")], buyer)


async def visit(habit: Habit, kind: type[HonestShop]) -> Ledger:
    ledger = Ledger()
    shop = kind(ledger)
    person = Person("buyer1", habit, 4, 0, takes_two_tiers=False, arrives_after_s=0.0, thinks_s=0.0)
    await Visit(person, TOKEN, shop, Board(shop), ledger).run()
    assert (ledger.arrived, ledger.left) == (1, 1)
    return ledger


@pytest.mark.parametrize("habit", Habit)
async def test_an_honest_shop_surprises_nobody(habit: Habit) -> None:
    assert (await visit(habit, HonestShop)).surprises == []


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
    assert (await visit(habit, HonestShop)).sold_units == (4 if habit in BUYING else 0)


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
    surprises = (await visit(habit, ForgetfulShop)).surprises
    assert len(surprises) == len(noticed)
    for surprise, words in zip(surprises, noticed, strict=True):
        assert words in surprise
