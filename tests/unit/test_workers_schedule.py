"""Which concerts a worker looks at, and when, by a clock that a test moves."""

import asyncio
from itertools import pairwise

from domain.ids import ConcertId
from tests.support.waiting import wait_until
from workers.schedule import RELIST_EVERY_S, Schedule

ONE, OTHER = ConcertId("one"), ConcertId("other")
BOTH = (ONE, OTHER)
# More than the jitter of a tenth.
ACTIVE_S, IDLE_S = 1.0, 10.0


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def make_schedule() -> tuple[Schedule, Clock]:
    clock = Clock()
    return Schedule(active_s=ACTIVE_S, idle_s=IDLE_S, clock=clock), clock


def look(made: Schedule, *active: ConcertId) -> list[ConcertId]:
    """A look at what is due, which finds these active."""
    due = made.due(BOTH)
    for concert_id in due:
        made.completed(concert_id, is_active=concert_id in active)
    return due


def test_every_concert_is_looked_at_when_it_is_first_seen() -> None:
    made, _ = make_schedule()
    assert made.due([ONE]) == [ONE]
    made.completed(ONE, is_active=False)
    assert made.due(BOTH) == [OTHER]


def test_active_ones_are_looked_at_often_and_idle_ones_seldom() -> None:
    made, clock = make_schedule()
    look(made, ONE)
    looks = []
    for _ in range(100):
        clock.now += 0.1
        looks += [(concert_id, clock.now) for concert_id in look(made, ONE)]
    times = [at for concert_id, at in looks if concert_id == ONE]
    assert 9 <= len(times) <= 10
    assert all(later - earlier >= ACTIVE_S - 1e-6 for earlier, later in pairwise(times))
    assert OTHER not in dict(looks)
    clock.now += 1.1
    assert look(made) == [*BOTH]


def test_idle_ones_that_are_nearly_due_come_along() -> None:
    made, clock = make_schedule()
    made.due(BOTH)
    made.completed(ONE, is_active=False)
    clock.now += 0.05
    made.completed(OTHER, is_active=False)
    made.wake(ONE)
    clock.now += ACTIVE_S
    assert look(made) == [ONE]
    clock.now += IDLE_S * 1.1 - ACTIVE_S - 0.04
    assert OTHER in look(made)


def test_a_concert_that_is_woken_is_looked_at_as_soon_as_an_active_one() -> None:
    made, clock = make_schedule()
    look(made)
    assert made.wake(ONE)
    assert made.due(BOTH) == []
    clock.now += ACTIVE_S
    assert made.due(BOTH) == [ONE]


def test_a_call_during_a_look_is_not_lost() -> None:
    made, clock = make_schedule()
    assert made.due([ONE]) == [ONE]
    made.wake(ONE)
    made.completed(ONE, is_active=False)
    clock.now += ACTIVE_S * 1.1
    assert made.due([ONE]) == [ONE]
    made.completed(ONE, is_active=False)
    clock.now += ACTIVE_S * 1.1
    assert made.due([ONE]) == []


def test_a_gap_wakes_everybody_and_strangers_nobody() -> None:
    made, clock = make_schedule()
    assert not made.wake(ONE)
    look(made)
    assert not made.wake(ConcertId("stranger"))
    clock.now += ACTIVE_S
    assert made.due(BOTH) == []
    made.wake_all()
    assert made.due(BOTH) == [*BOTH]


def test_what_fails_is_news_once_and_left_alone_for_a_while() -> None:
    made, clock = make_schedule()
    made.due([ONE])
    assert made.failed(ONE)
    clock.now += ACTIVE_S * 1.1
    assert made.due([ONE]) == []
    clock.now += IDLE_S
    assert made.due([ONE]) == [ONE]
    assert not made.failed(ONE)
    clock.now += IDLE_S * 1.1
    made.due([ONE])
    made.completed(ONE, is_active=True)
    assert made.failed(ONE)


def test_concerts_that_are_gone_are_forgotten() -> None:
    made, _ = make_schedule()
    look(made)
    assert made.due([OTHER]) == []
    assert not made.wake(ONE)


async def test_waiting_ends_with_the_first_that_is_due_or_a_call() -> None:
    made = Schedule(active_s=0.02, idle_s=600.0)
    async with asyncio.timeout(RELIST_EVERY_S / 2):
        made.due([ONE])
        made.completed(ONE, is_active=True)
        await made.wait()
        assert made.due([ONE]) == [ONE]
        made.completed(ONE, is_active=False)
        waiting = asyncio.create_task(made.wait())
        await wait_until(lambda: made._woken._waiters, what="the wait")
        made.wake(ONE)
        await waiting
        assert made.due([ONE]) == [ONE]


async def test_waiting_ends_in_time_to_ask_for_new_concerts() -> None:
    made = Schedule(active_s=600.0, idle_s=600.0)
    made.due([ONE])
    made.completed(ONE, is_active=False)
    async with asyncio.timeout(RELIST_EVERY_S * 3):
        await made.wait()
