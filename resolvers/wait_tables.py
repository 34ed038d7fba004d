"""The wait table of each concert, at most a second old, shared by the resolvers and the hub.

A concert costs at most one read of its room per second, regardless of the number of viewers. While
the hub publishes the concert, the resolvers use the hub's tables and read nothing.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from domain.concerts import Concert
from domain.estimates.estimate_checks import EstimateChecks, QueueSeen
from domain.estimates.wait_estimates import NO_ESTIMATE, WaitTable, build_wait_table
from domain.ids import ConcertId
from domain.queues import QueueingMethod, RoomStatus, WaitingRoom
from storage.connect import Stores
from storage.hot.queue_state import RoomState
from storage.sync.single_flight import SingleFlight
from telemetry import metrics

MAX_AGE_S = 1.0
MAX_TABLES = 1_000


@dataclass(slots=True)
class WaitTableCache:
    """A cache of wait tables. It reads rooms in detached tasks of the stores."""

    clock: Callable[[], float] = time.monotonic
    _known: dict[ConcertId, tuple[float, WaitTable]] = field(default_factory=dict)
    """The time of the read and the table of each concert, oldest first."""
    _checks: dict[ConcertId, EstimateChecks] = field(default_factory=dict)
    """The checks of the estimates of each concert in `_known` that calls people in order."""
    _reads: SingleFlight[ConcertId, WaitTable] = field(default_factory=SingleFlight)

    def put(self, room: WaitingRoom, table: WaitTable) -> None:
        """Store a table built from a room that was just read."""
        self._put(room, self.clock(), table)

    async def get(self, stores: Stores, concert: Concert) -> WaitTable:
        known = self._known.get(concert.id)
        if known is not None and self.clock() - known[0] < MAX_AGE_S:
            return known[1]
        return await self._reads.run(concert.id, lambda: self._read(stores, concert), owner=stores.detached_tasks)

    async def _read(self, stores: Stores, concert: Concert) -> WaitTable:
        read_at = self.clock()
        room = build_waiting_room(concert, await stores.queues.read_room(concert.id))
        table = build_room_wait_table(room)
        self._put(room, read_at, table)
        return table

    def _put(self, room: WaitingRoom, read_at: float, table: WaitTable) -> None:
        self._known.pop(room.concert_id, None)
        if len(self._known) >= MAX_TABLES:
            dropped = next(iter(self._known))
            del self._known[dropped]
            self._checks.pop(dropped, None)
        self._known[room.concert_id] = (read_at, table)
        self._check(room, table)

    def _check(self, room: WaitingRoom, table: WaitTable) -> None:
        """Compare earlier estimates with the truth, for queues whose order is known."""
        if room.status is not RoomStatus.OPEN or room.settings.queueing_method is not QueueingMethod.FIFO:
            self._checks.pop(room.concert_id, None)
            return
        found = table.quantiles_s(room.waiting_count)
        seen = QueueSeen(
            round=(room.epoch, room.settings.round),
            now_s=room.flow.now_s,
            serving_number=room.serving_number,
            last_number=room.tail,
            estimate_s=found[0] if found else None,
        )
        for error_s in self._checks.setdefault(room.concert_id, EstimateChecks()).compare(seen):
            metrics.estimate_error_seconds.observe(error_s)


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
