"""What the hub reads and says, as small protocols: others know the stores, the passes and the catalogue."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Protocol

from domain.estimates.wait_estimates import WaitTable
from domain.holds import Hold
from domain.ids import ConcertId, HoldId, OrderId, PersonId
from domain.orders import Order
from domain.queues import WaitingRoom
from domain.stock import Stock, StockAhead
from domain.topics import QueueSnapshot
from storage.hot.queues import Changes, EntryRecord, QueueState


@dataclass(frozen=True, slots=True)
class RoomView:
    """A room and its line at one version: every position and every estimate of that version comes from here."""

    room: WaitingRoom
    state: QueueState
    pace: WaitTable


class Reader(Protocol):
    """Each call is one command. Calls of one turn of the loop reach the store together, in their order."""

    async def stock(self, concert_id: ConcertId) -> Stock: ...

    async def room(self, concert_id: ConcertId) -> RoomView: ...

    async def changes(self, concert_id: ConcertId, *, after: int) -> Changes: ...

    async def entries(self, concert_id: ConcertId, people: Sequence[PersonId]) -> dict[PersonId, EntryRecord]: ...

    async def holds(self, concert_id: ConcertId, person_id: PersonId) -> tuple[Hold, ...]: ...

    async def hold(self, concert_id: ConcertId, hold_id: HoldId) -> Hold | None: ...

    async def orders(self, order_ids: Collection[OrderId]) -> tuple[Order, ...]: ...

    def show(
        self, view: RoomView, record: EntryRecord | None, stock: Stock, stock_ahead: StockAhead
    ) -> QueueSnapshot: ...


class Liveness(Protocol):
    """Speaks for the people who have a socket here."""

    async def sync_presence(
        self, concert_id: ConcertId, process: str, people: Sequence[tuple[PersonId, int]], *, is_known: bool
    ) -> None:
        """Renews the lease of `process` and passes its news on. Raises LeaseOver, and for a name it does not know
        though that has said something before."""
