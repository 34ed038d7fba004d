"""Polls the stock for everyone who is waiting for released tickets.

It wakes one person per available ticket, starting with those who have waited longest. The load on
the servers therefore does not depend on the number of people, as it would if each of them polled.
People in the queue also learn from it when every ticket is sold.
"""

import asyncio
from collections import deque
from collections.abc import Coroutine, Sequence
from typing import Any, TypeVar

from bench.clients.shop import Shop, TierView

POLL_INTERVAL_S = 0.2

T = TypeVar("T")


class StockPoller:
    def __init__(self, shop: Shop) -> None:
        self._shop = shop
        self._waiting: deque[asyncio.Future[bool]] = deque()
        self._sold_out = asyncio.Event()
        self.tiers: Sequence[TierView] = ()

    @property
    def is_sold_out(self) -> bool:
        return self._sold_out.is_set()

    @property
    def waiting_count(self) -> int:
        return len(self._waiting)

    async def wait_for_tickets(self) -> bool:
        """Wait and return True when tickets may be available, or False if every ticket is sold."""
        if self.is_sold_out:
            return False
        woken: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiting.append(woken)
        return await woken

    async def unless_sold_out(self, action: Coroutine[Any, Any, T]) -> T | None:
        """Return the result of `action`, or cancel it and return None if every ticket is sold."""
        task = asyncio.create_task(action)
        sold_out = asyncio.create_task(self._sold_out.wait())
        try:
            await asyncio.wait({task, sold_out}, return_when=asyncio.FIRST_COMPLETED)
            return task.result() if task.done() else None
        finally:
            task.cancel()
            sold_out.cancel()
            await asyncio.gather(task, sold_out, return_exceptions=True)

    async def poll(self) -> None:
        """Poll until every ticket is sold."""
        while not self.is_sold_out:
            tiers = await self._shop.read_stock()
            if tiers is not None:
                self.update(tiers)
            await asyncio.sleep(POLL_INTERVAL_S)

    def update(self, tiers: Sequence[TierView]) -> None:
        """Store the new stock and wake people accordingly."""
        self.tiers = tiers
        if all(tier.sold == tier.capacity for tier in tiers):
            self._sold_out.set()
        woken = len(self._waiting) if self.is_sold_out else sum(tier.available for tier in tiers)
        for _ in range(min(woken, len(self._waiting))):
            waiting = self._waiting.popleft()
            if not waiting.done():
                waiting.set_result(not self.is_sold_out)
