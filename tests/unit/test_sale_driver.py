"""A rush ends by itself: when everybody went home, or at its limit; and it strikes once, when half is sold."""

import asyncio

from bench.sale.buyer import Buyer
from bench.sale.catalog import SaleConcert
from bench.sale.client import Client
from bench.sale.driver import drive_sale
from bench.sale.ledger import Ledger, Receipt, TicketLine
from bench.sale.observations import Observations
from bench.sale.people import BuyerBehavior, Person
from bench.sale.queue_behavior import QueueSession
from bench.sale.queue_client import QueueClient
from bench.sale.shop import Shop, TierView
from bench.sale.stock_poller import StockPoller

PERSON = Person("buyer1", BuyerBehavior.BUYS, 1, 0, takes_two_tiers=False, arrives_after_s=0.0, thinks_s=0.0)


class Closed(Shop):
    def __init__(self, ledger: Ledger) -> None:
        super().__init__(Client((), ledger), ledger, SaleConcert("concert", ("tier",)))

    async def look(self) -> tuple[TierView, ...] | None:
        return None


class StubBuyer(Buyer):
    """Buys `units` without further ado, or waits for ever where that is None."""

    def __init__(self, ledger: Ledger, number: int, units: int | None) -> None:
        shop = Closed(ledger)
        stock_poller = StockPoller(shop)
        line = QueueClient(Client((), ledger), ledger, SaleConcert("concert", ()), urls=(), observations=Observations())
        super().__init__(
            PERSON,
            "token",
            queue_session=QueueSession(PERSON, "token", line, stock_poller),
            shop=shop,
            stock_poller=stock_poller,
        )
        self.dump, self.number, self.units = ledger, number, units

    async def run(self) -> None:
        if self.units is None:
            await asyncio.Event().wait()
        else:
            self.dump.book(Receipt(f"order-{self.number}", "buyer", "", (TicketLine("tier", self.units),), 0))


class Lightning:
    def __init__(self) -> None:
        self.strikes = 0

    async def __call__(self) -> None:
        self.strikes += 1


class Watched:
    has_ended = False

    async def watch(self) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            self.has_ended = True


async def hold_rush(*units: int | None, limit_s: float = 5.0) -> tuple[str | None, int]:
    ledger, lightning = Ledger(), Lightning()
    visits = [StubBuyer(ledger, number, wish) for number, wish in enumerate(units)]
    stock_poller = StockPoller(Closed(ledger))
    watched = Watched()
    cut_short = await drive_sale(
        visits, stock_poller, ledger, goal=10, limit_s=limit_s, strike=lightning, watches=[watched.watch()]
    )
    assert watched.has_ended
    return cut_short, lightning.strikes


async def test_it_ends_when_everybody_went_home_and_struck_once() -> None:
    assert await hold_rush(4, 4, 2) == (None, 1)


async def test_it_is_cut_short_at_its_limit() -> None:
    cut_short, strikes = await hold_rush(4, 4, None, limit_s=0.2)
    assert cut_short == "not everybody was done after 0 s, 0 of 0 waited for tickets to return"
    assert strikes == 1


async def test_a_sale_that_never_came_to_half_time_says_so() -> None:
    assert await hold_rush(4) == ("half time never came, so nothing was killed", 0)
