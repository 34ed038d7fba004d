"""Runs the buyers and background tasks of a sale, and kills servers halfway through."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any, Protocol

from bench.clients.background import cancel_all
from bench.clients.console import write_status
from bench.clients.ledger import Ledger
from proofs.sale.buyers.stock_poller import StockPoller
from proofs.sale.progress import show_progress
from proofs.wait_until import wait_until


class Runner(Protocol):
    """A buyer in the sale."""

    async def run(self) -> None: ...


Kill = Callable[[], Awaitable[None]]
BackgroundTask = Coroutine[Any, Any, None]
"""A task that runs during the sale until it is canceled."""


async def drive_sale(
    buyers: Sequence[Runner],
    stock_poller: StockPoller,
    ledger: Ledger,
    *,
    goal: int,
    limit_s: float,
    kill: Kill | None,
    background: Sequence[BackgroundTask] = (),
) -> str | None:
    """Run the buyers until all are done or `limit_s` seconds have passed.

    Returns the reason if the sale was cut short, or if nothing was killed although `kill` was
    given; otherwise None.
    """
    async with asyncio.TaskGroup() as group:
        showing = show_progress(ledger, stock_poller, goal=goal)
        tasks = [group.create_task(work) for work in (stock_poller.poll(), showing, *background)]
        killing = group.create_task(_kill_when_half_is_sold(kill, ledger, goal, limit_s)) if kill else None
        cut_short = await _run_buyers(buyers, limit_s)
        if cut_short:
            active = ledger.arrived - ledger.done
            cut_short += f"; {stock_poller.waiting_count} of {active} were waiting for released tickets"
        await cancel_all(tasks)
        if killing and not _is_half_sold(ledger, goal):
            # Only a kill that has not begun may be canceled, because the store must be running
            # again before the records are read.
            killing.cancel()
            cut_short = cut_short or "half of the goal was never sold, so nothing was killed"
    return cut_short


async def _run_buyers(buyers: Sequence[Runner], limit_s: float) -> str | None:
    try:
        async with asyncio.timeout(limit_s), asyncio.TaskGroup() as group:
            for buyer in buyers:
                group.create_task(buyer.run())
    except TimeoutError:
        return f"some buyers were not done after {limit_s:.0f} s"
    return None


async def _kill_when_half_is_sold(kill: Kill, ledger: Ledger, goal: int, limit_s: float) -> None:
    if await wait_until(lambda: _is_half_sold(ledger, goal), within_s=limit_s, poll_interval_s=0.05):
        write_status("\nhalf of the tickets are sold: killing the store and one server with kill -9\n")
        await kill()
        write_status("\nboth are running again\n")


def _is_half_sold(ledger: Ledger, goal: int) -> bool:
    return ledger.sold_units * 2 >= goal
