"""The queues that `/metrics` shows, and how their occupancy is compared with the caps."""

from dataclasses import replace
from datetime import timedelta

import pytest

from domain.concerts import ConcertStatus
from domain.estimates.room_flow import SLICES, RoomFlow
from domain.ids import ConcertId
from domain.queues import QueueingMethod, RoomStatus
from storage.hot.queue_state import RoomState
from tests.support.snapshots import CONCERT
from web.monitoring.queue_gauges import MAX_QUEUES, choose_queues, measure_caps

NOW = CONCERT.room_opens_at
CAPPED = replace(CONCERT, room=replace(CONCERT.room, suspended=False, total_active_users=10, new_users_per_minute=6))


def room_with(slots_taken: int, *called_lately: int) -> RoomState:
    earlier = (0,) * (SLICES - len(called_lately))
    flow = RoomFlow(now_s=0.0, called_lately=(*earlier, *called_lately))
    return replace(RoomState.empty(RoomStatus.OPEN), slots_taken=slots_taken, flow=flow)


def test_calls_are_counted_in_the_last_full_minute() -> None:
    # The slice before the minute and the current one, which is not full, do not count.
    room = room_with(4, 100, 1, 1, 1, 1, 1, 1, 50)
    assert measure_caps(CAPPED, room) == {"slots": (4, 10), "calls": (6, 6)}


@pytest.mark.parametrize(("queue_all", "has_caps"), [(False, False), (True, True)])
def test_people_who_pass_through_have_no_caps(queue_all: bool, has_caps: bool) -> None:
    settings = replace(CAPPED.room, queueing_method=QueueingMethod.PASSTHROUGH, queue_all=queue_all)
    assert bool(measure_caps(replace(CAPPED, room=settings), room_with(99))) is has_caps


def test_only_queues_that_are_on_are_shown() -> None:
    is_off = replace(CAPPED, room=replace(CAPPED.room, suspended=True))
    concerts = [is_off, CAPPED, replace(CAPPED, status=ConcertStatus.CLOSED)]
    assert choose_queues(concerts, NOW) == [CAPPED]


def test_queues_that_open_or_opened_closest_to_now_are_shown() -> None:
    def opens_at(hours: int) -> timedelta:
        return timedelta(hours=hours)

    concerts = [
        replace(CAPPED, id=ConcertId(str(hours)), room=replace(CAPPED.room, opens_at=NOW + opens_at(hours)))
        for hours in range(-MAX_QUEUES, MAX_QUEUES)
    ]
    shown = choose_queues(concerts, NOW)
    assert len(shown) == MAX_QUEUES
    assert {abs(int(concert.id)) for concert in shown} == set(range(MAX_QUEUES // 2 + 1))
