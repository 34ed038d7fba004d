"""One stock poller, several times a second, for all people who wait for released tickets.

Without it, thousands of waiting people would each poll. One poll serves them all, and it wakes
as many people, oldest first, as tickets were released, so any number of people costs the servers
the same. People in the queue use it too.
"""

import asyncio
from collections import deque
from collections.abc import Coroutine, Sequence
from typing import Any, TypeVar

from bench.sale.shop import Shop, TierView

POLL_EVERY_S = 0.2

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
    def waiting(self) -> int:
        return len(self._waiting)

    async def wait_for_tickets(self) -> bool:
        """Wait for released tickets. Return True to look again, False once every ticket is sold."""
        if self.is_sold_out:
            return False
        place: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiting.append(place)
        return await place

    async def unless_sold_out(self, doing: Coroutine[Any, Any, T]) -> T | None:
        """Return the result of `doing`; once every ticket is sold, cancel it and return None."""
        task = asyncio.create_task(doing)
        over = asyncio.create_task(self._sold_out.wait())
        try:
            await asyncio.wait({task, over}, return_when=asyncio.FIRST_COMPLETED)
            return task.result() if task.done() else None
        finally:
            task.cancel()
            over.cancel()
            await asyncio.gather(task, over, return_exceptions=True)

    async def poll(self) -> None:
        """Poll until every ticket is sold; the sale's owner cancels it otherwise."""
        while not self.is_sold_out:
            seen = await self._shop.look()
            if seen is not None:
                self._show(seen)
            await asyncio.sleep(POLL_EVERY_S)

    def _show(self, tiers: Sequence[TierView]) -> None:
        self.tiers = tiers
        if all(tier.sold == tier.capacity for tier in tiers):
            self._sold_out.set()
        called = len(self._waiting) if self.is_sold_out else sum(tier.available for tier in tiers)
        for _ in range(min(called, len(self._waiting))):
            place = self._waiting.popleft()
            if not place.done():
                place.set_result(not self.is_sold_out)
