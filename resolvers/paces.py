"""How fast each line moves, as this process worked it out within the last second: it is the same for all who ask."""

import time
from dataclasses import dataclass, field

from domain.concerts import Concert
from domain.estimates import NO_PACE, Pace, pace_of
from domain.ids import ConcertId
from domain.queues import RoomStatus, WaitingRoom
from storage.connect import Stores
from storage.queues import LineState

LIFE_S = 1.0
MOST = 1_000


@dataclass(slots=True)
class Paces:
    _known: dict[ConcertId, tuple[float, Pace]] = field(default_factory=dict)

    async def of(self, stores: Stores, concert: Concert) -> Pace:
        now = time.monotonic()
        known = self._known.get(concert.id)
        if known is not None and now - known[0] < LIFE_S:
            return known[1]
        pace = pace_in(room_of(concert, await stores.queues.line(concert.id)))
        if len(self._known) >= MOST:
            self._known.clear()
        self._known[concert.id] = (now, pace)
        return pace


def room_of(concert: Concert, state: LineState) -> WaitingRoom:
    return WaitingRoom(
        concert_id=concert.id,
        settings=concert.room,
        status=state.status,
        opens_at=concert.room_opens_at,
        epoch=state.epoch,
        version=state.version,
        serving_number=state.line.serving_number,
        tail=state.line.tail,
        waiting_count=state.line.waiting_count,
        slots_taken=state.slots_taken,
        passes_issued=state.passes_issued,
        flow=state.flow,
    )


def pace_in(room: WaitingRoom) -> Pace:
    """How fast people are called; nobody can tell where nobody is."""
    if room.status is not RoomStatus.OPEN:
        return NO_PACE
    return pace_of(
        room.flow,
        slots_taken=room.slots_taken,
        total_active_users=room.settings.total_active_users,
        new_users_per_minute=room.settings.new_users_per_minute,
    )
