"""The wait table of each concert, at most a second old, shared by the resolvers and the hub.

A concert costs at most one read of its room per second, regardless of the number of viewers. While
the hub publishes the concert, the resolvers use the hub's tables and read nothing.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from domain.concerts import Concert
from domain.estimates.wait_estimates import NO_ESTIMATE, WaitTable, build_wait_table
from domain.ids import ConcertId
from domain.queues import RoomStatus, WaitingRoom
from storage.connect import Stores
from storage.hot.queue_state import RoomState
from storage.sync.single_flight import SingleFlight

MAX_AGE_S = 1.0
MAX_TABLES = 1_000


@dataclass(slots=True)
class WaitTableCache:
    """A cache of wait tables. It reads rooms in detached tasks of the stores."""

    clock: Callable[[], float] = time.monotonic
    _known: dict[ConcertId, tuple[float, WaitTable]] = field(default_factory=dict)
    """The time of the read and the table of each concert, oldest first."""
    _reads: SingleFlight[ConcertId, WaitTable] = field(default_factory=SingleFlight)

    def put(self, concert_id: ConcertId, table: WaitTable) -> None:
        """Store a table built from a room that was just read."""
        self._put(concert_id, self.clock(), table)

    async def get(self, stores: Stores, concert: Concert) -> WaitTable:
        known = self._known.get(concert.id)
        if known is not None and self.clock() - known[0] < MAX_AGE_S:
            return known[1]
        return await self._reads.run(concert.id, lambda: self._read(stores, concert), owner=stores.detached_tasks)

    async def _read(self, stores: Stores, concert: Concert) -> WaitTable:
        read_at = self.clock()
        table = build_room_wait_table(build_waiting_room(concert, await stores.queues.read_room(concert.id)))
        self._put(concert.id, read_at, table)
        return table

    def _put(self, concert_id: ConcertId, read_at: float, table: WaitTable) -> None:
        self._known.pop(concert_id, None)
        if len(self._known) >= MAX_TABLES:
            del self._known[next(iter(self._known))]
        self._known[concert_id] = (read_at, table)


def build_waiting_room(concert: Concert, state: RoomState, *, is_past: bool = False) -> WaitingRoom:
    return WaitingRoom(
        concert_id=concert.id,
        organizer_id=concert.organizer_id,
        settings=concert.room,
        status=state.status,
        opens_at=concert.room_opens_at,
        epoch=state.epoch,
        version=state.version,
        serving_number=state.serving_number,
        tail=state.tail,
        waiting_count=state.waiting_count,
        slots_taken=state.slots_taken,
        passes_issued=state.passes_issued,
        flow=state.flow,
        is_past=is_past,
    )


def build_room_wait_table(room: WaitingRoom) -> WaitTable:
    """Build the wait table of a room. The table has no estimates while no one is being called."""
    if room.status is not RoomStatus.OPEN:
        return NO_ESTIMATE
    return build_wait_table(
        room.flow,
        slots_taken=room.slots_taken,
        total_active_users=room.settings.total_active_users,
        new_users_per_minute=room.settings.new_users_per_minute,
    )
