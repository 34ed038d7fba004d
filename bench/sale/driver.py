"""Runs the sale: every buyer's visit,
the background tasks beside them, and the kill at half time.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any

from bench.sale.buyer import Buyer
from bench.sale.ledger import Ledger
from bench.sale.progress import say, show_progress
from bench.sale.stock_poller import StockPoller
from bench.sale.wait_until import wait_until

Kill = Callable[[], Awaitable[None]]
Watch = Coroutine[Any, Any, None]
"""Runs beside the sale until it is cancelled."""


CANCEL_AGAIN_AFTER_S = 1.0


async def drive_sale(
    visits: Sequence[Buyer],
    stock_poller: StockPoller,
    ledger: Ledger,
    *,
    goal: int,
    limit_s: float,
    strike: Kill | None,
    watches: Sequence[Watch] = (),
) -> str | None:
    """Run the visits.

    Return None after the last one, or, after `limit_s`, why some are unfinished.
    """
    async with asyncio.TaskGroup() as staff:
        showing = show_progress(ledger, stock_poller, goal=goal)
        watching = [staff.create_task(watch) for watch in (stock_poller.poll(), showing, *watches)]
        striking = staff.create_task(_kill_at_half_time(strike, ledger, goal, limit_s)) if strike else None
        cut_short = await _let_in(visits, limit_s)
        if cut_short:
            cut_short += f", {stock_poller.waiting} of {ledger.arrived - ledger.left} waited for tickets to return"
        await _end(watching)
        if striking and not _is_half_time(ledger, goal):
            # If the kill has begun, its stores must run again before the records are read.
            striking.cancel()
            cut_short = cut_short or "half time never came, so nothing was killed"
    return cut_short


async def _end(watching: Sequence[asyncio.Task[None]]) -> None:
    """Cancel the tasks, repeatedly:
    a client time-out at the same moment can swallow a cancellation.
    """
    pending = set(watching)
    while pending:
        for watch in pending:
            watch.cancel()
        _, pending = await asyncio.wait(pending, timeout=CANCEL_AGAIN_AFTER_S)


async def _let_in(visits: Sequence[Buyer], limit_s: float) -> str | None:
    try:
        async with asyncio.timeout(limit_s), asyncio.TaskGroup() as inside:
            for visit in visits:
                inside.create_task(visit.run())
    except TimeoutError:
        return f"not everybody was done after {limit_s:.0f} s"
    return None


async def _kill_at_half_time(strike: Kill, ledger: Ledger, goal: int, limit_s: float) -> None:
    if await wait_until(lambda: _is_half_time(ledger, goal), within_s=limit_s, poll_interval_s=0.05):
        say("\nhalf is sold: kill -9 for the store and one server\n")
        await strike()
        say("\nboth run again\n")


def _is_half_time(ledger: Ledger, goal: int) -> bool:
    return ledger.sold_units * 2 >= goal
