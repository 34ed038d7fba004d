"""The board calls people back as tickets return, oldest first, and sends everybody home when all is sold."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from bench.sale.catalog import SaleConcert
from bench.sale.client import Client
from bench.sale.ledger import Ledger
from bench.sale.shop import Shop, TierView
from bench.sale.stock_poller import StockPoller
from tests.support.waiting import wait_until


class Window(Shop):
    """Shows what the test puts there."""

    def __init__(self) -> None:
        ledger = Ledger()
        super().__init__(Client((), ledger), ledger, SaleConcert("concert", ("tier",)))
        self.shown: tuple[TierView, ...] | None = None

    def show(self, *, available: int, held: int, sold: int) -> None:
        self.shown = (TierView("tier", available + held + sold, available, held, sold),)

    async def look(self) -> tuple[TierView, ...] | None:
        return self.shown


@asynccontextmanager
async def three_waiting(stock_poller: StockPoller) -> AsyncIterator[list[asyncio.Task[bool]]]:
    waiting = [asyncio.create_task(stock_poller.wait_for_tickets()) for _ in range(3)]
    await wait_until(lambda: stock_poller.waiting == 3)
    watching = asyncio.create_task(stock_poller.poll())
    yield waiting
    for task in (*waiting, watching):
        task.cancel()
    await asyncio.gather(*waiting, watching, return_exceptions=True)


async def test_as_many_are_called_as_tickets_returned_oldest_first() -> None:
    window = Window()
    window.show(available=2, held=1, sold=7)
    stock_poller = StockPoller(window)
    async with three_waiting(stock_poller) as (first, second, third):
        assert [await first, await second] == [True, True]
        window.show(available=0, held=3, sold=7)
        assert not third.done()


async def test_nobody_is_called_while_all_that_is_left_is_held_or_nothing_can_be_told() -> None:
    for shown in ((TierView("tier", 10, 0, 3, 7),), None):
        window = Window()
        window.shown = shown
        stock_poller = StockPoller(window)
        async with three_waiting(stock_poller) as waiting:
            # Two looks at least, by the board's own clock.
            done, _ = await asyncio.wait(waiting, timeout=0.5)
            assert done == set()


async def test_everybody_goes_home_when_all_is_sold() -> None:
    window = Window()
    window.show(available=0, held=0, sold=10)
    stock_poller = StockPoller(window)
    async with three_waiting(stock_poller) as waiting:
        assert await asyncio.gather(*waiting) == [False, False, False]
        assert await stock_poller.wait_for_tickets() is False


async def test_whoever_does_something_else_is_stopped_when_all_is_sold() -> None:
    window = Window()
    window.show(available=1, held=0, sold=9)
    stock_poller = StockPoller(window)
    doing = asyncio.create_task(stock_poller.unless_sold_out(asyncio.Event().wait()))
    async with three_waiting(stock_poller):
        window.show(available=0, held=0, sold=10)
        assert await doing is None
        assert stock_poller.is_sold_out


async def test_what_is_done_before_that_is_returned() -> None:
    assert await StockPoller(Window()).unless_sold_out(asyncio.sleep(0, "done")) == "done"


async def test_a_failure_is_not_taken_for_the_end() -> None:
    async def fail() -> None:
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        await StockPoller(Window()).unless_sold_out(fail())
