"""The board at the door: one look at the stock, several times a second, for everybody who waits for tickets to return.

Thousands who wait would each poll; here one poll serves them all, and as many people are called, oldest first, as
tickets came back. So a waiting crowd of any size costs the servers the same. Whoever stands in line reads it too.
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
        """True: look again, there may be some for you. False: every ticket is sold, go home."""
        if self.is_sold_out:
            return False
        place: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiting.append(place)
        return await place

    async def unless_sold_out(self, doing: Coroutine[Any, Any, T]) -> T | None:
        """What it returns; None, and it is stopped, once every ticket is sold."""
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
        """Runs until every ticket is sold; the sale's owner cancels it otherwise."""
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
