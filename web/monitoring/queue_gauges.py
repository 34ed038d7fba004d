"""Gauges of queues: how many people wait, and how many have been called, against both caps.

Only queues that are on are shown, and at most 100 of them: those that open next, or have opened
last.
"""

import asyncio
from collections.abc import Sequence
from datetime import datetime

from prometheus_client import CollectorRegistry, Gauge

from domain.concerts import Concert, ConcertStatus
from domain.errors import OnsaleError, TemporarilyUnavailable
from domain.estimates.room_flow import RoomFlow
from domain.queues import QueueingMethod
from storage.connect import Stores
from storage.hot.queue_state import RoomState
from web.monitoring.store_gauges import StoreGauges

MAX_QUEUES = 100


class QueueGauges(StoreGauges):
    name = "queue"
    store = "Redis"

    async def fill(self, registry: CollectorRegistry, stores: Stores, now: datetime) -> None:
        concerts = choose_queues(await stores.concert_cache.list_all(), now)
        rooms = await _read_rooms(stores, concerts)
        labels = ["concert", "cap"]
        waiting = Gauge("onsale_queue_waiting", "People waiting in a queue.", ["concert"], registry=registry)
        about = "People inside (cap slots), and people called in the last full minute (cap calls)."
        taken = Gauge("onsale_queue_occupancy", about, labels, registry=registry)
        caps = Gauge("onsale_queue_cap", "The limits of a waiting room.", labels, registry=registry)
        about = "By how much the occupancy exceeds the cap."
        overshoot = Gauge("onsale_queue_overshoot", about, labels, registry=registry)
        for concert, room in rooms:
            waiting.labels(concert.slug).set(room.waiting_count)
            for cap, (count, limit) in measure_caps(concert, room).items():
                taken.labels(concert.slug, cap).set(count)
                caps.labels(concert.slug, cap).set(limit)
                overshoot.labels(concert.slug, cap).set(max(0, count - limit))


async def _read_rooms(stores: Stores, concerts: Sequence[Concert]) -> list[tuple[Concert, RoomState]]:
    """Return the rooms that can be read now; a recovery hides only its own concert.

    Raises TemporarilyUnavailable if no room can be read.
    """
    reads = [stores.queues.read_room(concert.id) for concert in concerts]
    rooms: list[tuple[Concert, RoomState]] = []
    unavailable: TemporarilyUnavailable | None = None
    for concert, read in zip(concerts, await asyncio.gather(*reads, return_exceptions=True), strict=True):
        match read:
            case RoomState():
                rooms.append((concert, read))
            case TemporarilyUnavailable():
                unavailable = read
            case OnsaleError():
                pass  # the concert has just been closed
            case _:
                raise read
    if unavailable is not None and not rooms:
        raise unavailable
    return rooms


def choose_queues(concerts: Sequence[Concert], now: datetime) -> list[Concert]:
    """Return the concerts whose queues are shown."""
    on = [concert for concert in concerts if concert.room.is_on and concert.status is ConcertStatus.PUBLISHED]
    return sorted(on, key=lambda concert: abs(concert.room_opens_at - now))[:MAX_QUEUES]


def measure_caps(concert: Concert, room: RoomState) -> dict[str, tuple[int, int]]:
    """Return the occupancy and the limit of each cap. No cap applies to people who pass through."""
    if concert.room.queueing_method is QueueingMethod.PASSTHROUGH and not concert.room.queue_all:
        return {}
    return {
        "slots": (room.slots_taken, concert.room.total_active_users),
        "calls": (count_calls_in_minute(room.flow), concert.room.new_users_per_minute),
    }


def count_calls_in_minute(flow: RoomFlow) -> int:
    """Return how many people were called in the last six full slices of ten seconds."""
    return sum(flow.called_lately[-7:-1])
