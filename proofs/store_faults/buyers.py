"""Buyers who come at a steady rate, and repeat each step with the same key until it is answered."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from domain.concerts import Concert
from domain.errors import NotFound, TemporarilyUnavailable
from domain.holds import TicketRequest
from domain.ids import OrderId, PersonId
from proofs.waiting_room.shop import CUSTOMER, customer_context, new_key
from resolvers import holds, orders
from resolvers.context import Context
from storage.connect import Stores

PER_SECOND = 20
RETRY_AFTER_S = 0.2

T = TypeVar("T")


class Buyers:
    """Each buyer buys one ticket. `receipts` has the order that each of them was given."""

    def __init__(self, stores: Stores, concert: Concert) -> None:
        self.receipts: dict[PersonId, OrderId] = {}
        self.retries = 0
        """Answers that asked a buyer to try again."""
        self.lost_holds = 0
        self._stores = stores
        self._concert = concert
        self._came_s: dict[PersonId, float] = {}
        self._visits = set[asyncio.Task[None]]()

    async def run(self) -> None:
        while True:
            person_id = PersonId(f"buyer{len(self._came_s)}")
            self._came_s[person_id] = time.monotonic()
            visit = asyncio.create_task(self._visit(person_id))
            self._visits.add(visit)
            visit.add_done_callback(self._visits.discard)
            await asyncio.sleep(1 / PER_SECOND)

    async def finish(self) -> None:
        """Wait until each buyer who came has a ticket."""
        await asyncio.gather(*self._visits)

    @property
    def count(self) -> int:
        return len(self._came_s)

    def has_sold_since(self, time_s: float) -> bool:
        """Return whether a buyer who came after this time has a ticket."""
        return any(came_s > time_s and person_id in self.receipts for person_id, came_s in self._came_s.items())

    async def _visit(self, person_id: PersonId) -> None:
        context = customer_context(self._stores, person_id)
        while True:
            try:
                self.receipts[person_id] = await self._buy(context)
            except NotFound:
                self.lost_holds += 1
            else:
                return

    async def _buy(self, context: Context) -> OrderId:
        """Hold and buy a ticket. Raises NotFound if the store has lost the hold in between."""
        concert_id, tier_id = self._concert.id, self._concert.tiers[-1].id
        hold_key, purchase_key = new_key(), new_key()
        held = await self._repeat(
            lambda: holds.hold_tickets(context, concert_id, (TicketRequest(tier_id, 1),), hold_key, None)
        )
        bought = await self._repeat(lambda: orders.purchase_hold(context, concert_id, held.id, CUSTOMER, purchase_key))
        return bought.id

    async def _repeat(self, call: Callable[[], Awaitable[T]]) -> T:
        while True:
            try:
                return await call()
            except TemporarilyUnavailable:
                self.retries += 1
                await asyncio.sleep(RETRY_AFTER_S)
