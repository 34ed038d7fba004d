"""A visitor notices what nobody should be told: each habit in a shop that is honest, and in one that is not."""

import time
from collections.abc import Sequence
from dataclasses import replace

import pytest

from bench.sale.buyer import Buyer
from bench.sale.catalog import LIMIT_PER_ORDER, LIMIT_PER_PERSON, SaleConcert
from bench.sale.client import Client
from bench.sale.ledger import Ledger, Receipt, TicketLine
from bench.sale.mutations import RefusedMutation
from bench.sale.observations import Observations
from bench.sale.people import BuyerBehavior, Person, QueueBehavior
from bench.sale.queue_behavior import QueueSession
from bench.sale.queue_client import QueueClient, QueuePass
from bench.sale.shop import Held, Shop, TierView
from bench.sale.stock_poller import StockPoller

TOKEN = "e30.e30.c2ln"
PASS = "e30.e30.cGFzcw"
TIERS = ("tier-0", "tier-1", "tier-2")


class HonestShop(Shop):
    """One person's, with stock for everybody: refuses exactly what has to be refused."""

    def __init__(self, ledger: Ledger) -> None:
        super().__init__(Client((), ledger), ledger, SaleConcert("concert", TIERS))
        self.dump = ledger
        self.held: dict[str, tuple[TicketLine, ...]] = {}
        self.bought: dict[str, Receipt] = {}
        self.good_passes = {PASS}

    async def look(self) -> tuple[TierView, ...] | None:
        return tuple(TierView(tier, 100, 50, 0, 50) for tier in TIERS)

    async def hold(
        self, lines: Sequence[TicketLine], key: str, *, token: str | None, queue_pass: str | None
    ) -> Held | RefusedMutation:
        owned = sum(receipt.units for receipt in self.bought.values())
        quantity = sum(line.quantity for line in lines)
        if token != TOKEN:
            return RefusedMutation("UNAUTHENTICATED", "")
        if queue_pass not in self.good_passes:
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
        return self._sell(hold_id, self.held[hold_id.removeprefix("hold-")], buyer)

    async def buy_at_once(
        self, lines: Sequence[TicketLine], key: str, *, buyer: str, token: str, queue_pass: str
    ) -> Receipt | RefusedMutation:
        return self._sell(f"order-{key}", tuple(lines), buyer)

    def _sell(self, order_id: str, lines: tuple[TicketLine, ...], buyer: str) -> Receipt:
        receipt = Receipt(order_id, buyer, "", lines, 0)
        self.bought[order_id] = receipt
        self.dump.book(receipt)
        self.good_passes.discard(PASS)
        return receipt


class ForgetfulShop(HonestShop):
    """Knows no limit, key, token or pass: every request gets a hold of its own, every purchase an order."""

    calls = 0

    async def hold(
        self, lines: Sequence[TicketLine], key: str, *, token: str | None, queue_pass: str | None
    ) -> Held | RefusedMutation:
        self.calls += 1
        self.held[f"{key}-{self.calls}"] = tuple(lines)
        return Held(f"hold-{key}-{self.calls}", tuple(lines))

    async def buy(self, hold_id: str, key: str, *, buyer: str, token: str) -> Receipt | RefusedMutation:
        self.calls += 1
        return self._sell(f"order-{self.calls}", self.held[hold_id.removeprefix("hold-")], buyer)


class DistrustfulShop(HonestShop):
    """Takes no pass, however good."""

    def __init__(self, ledger: Ledger) -> None:
        super().__init__(ledger)
        self.good_passes = set()

    async def buy_at_once(
        self, lines: Sequence[TicketLine], key: str, *, buyer: str, token: str, queue_pass: str
    ) -> Receipt | RefusedMutation:
        return RefusedMutation("NOT_ADMITTED", "")


class OpenDoor(QueueSession):
    """Gives a pass at once, and no second one."""

    def __init__(self, person: Person, line: QueueClient, stock_poller: StockPoller) -> None:
        super().__init__(person, TOKEN, line, stock_poller)
        self.passes = [QueuePass(PASS, 1, time.monotonic() + 15)]
        self.went_out = False

    async def get_pass(self) -> QueuePass | None:
        return self.passes.pop() if self.passes else None

    async def leave(self) -> None:
        self.went_out = True

    def take_foreign_pass(self) -> str | None:
        return "stolen"


async def visit(
    buyer_behavior: BuyerBehavior, kind: type[HonestShop], queue_behavior: QueueBehavior = QueueBehavior.WATCHES
) -> tuple[Ledger, OpenDoor]:
    ledger = Ledger()
    shop = kind(ledger)
    concert = SaleConcert("concert", TIERS)
    line = QueueClient(Client((), ledger), ledger, concert, urls=(), observations=Observations())
    person = Person("buyer1", buyer_behavior, 4, 0, takes_two_tiers=False, arrives_after_s=0.0, thinks_s=0.0)
    person = replace(person, queue_behavior=queue_behavior)
    stock_poller = StockPoller(shop)
    door = OpenDoor(person, line, stock_poller)
    await Buyer(person, TOKEN, queue_session=door, shop=shop, stock_poller=stock_poller).run()
    assert (ledger.arrived, ledger.left) == (1, 1)
    return ledger, door


@pytest.mark.parametrize("buyer_behavior", BuyerBehavior)
async def test_an_honest_shop_surprises_nobody(buyer_behavior: BuyerBehavior) -> None:
    for queue_behavior in (QueueBehavior.WATCHES, QueueBehavior.PUSHES_IN):
        assert (await visit(buyer_behavior, HonestShop, queue_behavior))[0].surprises == []


BUYING = {
    BuyerBehavior.BUYS,
    BuyerBehavior.BUYS_AT_ONCE,
    BuyerBehavior.WAVERS,
    BuyerBehavior.ASKS_TOO_MUCH,
    BuyerBehavior.REPEATS,
    BuyerBehavior.REUSES_KEY,
}


@pytest.mark.parametrize("buyer_behavior", BuyerBehavior)
async def test_a_visitor_buys_one_order_or_none(buyer_behavior: BuyerBehavior) -> None:
    assert (await visit(buyer_behavior, HonestShop))[0].sold_units == (4 if buyer_behavior in BUYING else 0)


@pytest.mark.parametrize(
    ("buyer_behavior", "noticed"),
    [
        (
            BuyerBehavior.ASKS_TOO_MUCH,
            [
                "a hold beyond the limit per order was answered with Held(",
                "a hold beyond the limit per person was answered with Held(",
            ],
        ),
        (BuyerBehavior.REPEATS, ["one key gave two holds", "one key gave two answers"]),
        (BuyerBehavior.REUSES_KEY, ["a used key with other contents was answered with Held("]),
        (BuyerBehavior.HAS_NO_TOKEN, ["a hold without a token was answered with Held("]),
        (BuyerBehavior.FORGES_TOKEN, ["a hold with a forged token was answered with Held("]),
    ],
)
async def test_a_forgetful_shop_is_noticed(buyer_behavior: BuyerBehavior, noticed: list[str]) -> None:
    surprises = (await visit(buyer_behavior, ForgetfulShop))[0].surprises
    assert len(surprises) == len(noticed)
    for surprise, words in zip(surprises, noticed, strict=True):
        assert words in surprise


async def test_a_shop_that_takes_any_pass_is_noticed() -> None:
    surprises = (await visit(BuyerBehavior.BUYS, ForgetfulShop, QueueBehavior.PUSHES_IN))[0].surprises
    whose = ("without a pass", "with an access token for a pass", "with a stolen pass", "with a forged pass", "spent")
    assert len(surprises) == len(whose)
    for surprise, words in zip(surprises, whose, strict=True):
        assert words in surprise


@pytest.mark.parametrize("buyer_behavior", BUYING)
async def test_a_shop_that_refuses_a_good_pass_is_noticed(buyer_behavior: BuyerBehavior) -> None:
    surprises = (await visit(buyer_behavior, DistrustfulShop))[0].surprises
    assert any("a good pass was refused" in surprise for surprise in surprises)


@pytest.mark.parametrize(
    ("buyer_behavior", "gone"),
    [(BuyerBehavior.GIVES_UP, True), (BuyerBehavior.WAVERS, False), (BuyerBehavior.VANISHES, False)],
)
async def test_only_who_gives_up_gives_the_pass_back(buyer_behavior: BuyerBehavior, gone: bool) -> None:
    assert (await visit(buyer_behavior, HonestShop))[1].went_out is gone
