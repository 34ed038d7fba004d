"""The board at the door: one look at the stock, several times a second, for everybody who waits for tickets to return.

Thousands who wait would each poll; here one poll serves them all, and as many people are called, oldest first, as
tickets came back. So a waiting crowd of any size costs the servers the same.
"""

import asyncio
from collections import deque
from collections.abc import Sequence

from bench.sale.shop import Shop, TierView

POLL_EVERY_S = 0.2


class Board:
    def __init__(self, shop: Shop) -> None:
        self._shop = shop
        self._waiting: deque[asyncio.Future[bool]] = deque()
        self._sold_out = False
        self.tiers: Sequence[TierView] = ()

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    async def tickets_return(self) -> bool:
        """True: look again, there may be some for you. False: every ticket is sold, go home."""
        if self._sold_out:
            return False
        place: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiting.append(place)
        return await place

    async def watch(self) -> None:
        """Runs until every ticket is sold; the sale's owner cancels it otherwise."""
        while not self._sold_out:
            seen = await self._shop.look()
            if seen is not None:
                self._show(seen)
            await asyncio.sleep(POLL_EVERY_S)

    def _show(self, tiers: Sequence[TierView]) -> None:
        self.tiers = tiers
        self._sold_out = all(tier.sold == tier.capacity for tier in tiers)
        called = len(self._waiting) if self._sold_out else sum(tier.available for tier in tiers)
        for _ in range(min(called, len(self._waiting))):
            place = self._waiting.popleft()
            if not place.done():
                place.set_result(not self._sold_out)
