"""A worker's schedule: which concerts are due, on a clock that the tests advance."""

import asyncio
from itertools import pairwise
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.ids import ConcertId
from workers import schedule as schedule_module
from workers.schedule import Schedule

ONE, OTHER = ConcertId("one"), ConcertId("other")
BOTH = (ONE, OTHER)
# The intervals differ by more than the jitter, which is 10%.
ACTIVE_S, IDLE_S = 1.0, 10.0
NEVER_S = 1_000_000.0


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def make_schedule() -> tuple[Schedule, Clock]:
    clock = Clock()
    return Schedule(active_s=ACTIVE_S, idle_s=IDLE_S, clock=clock), clock


def run(made: Schedule, *active: ConcertId) -> list[ConcertId]:
    """Run and return the due concerts; those in `active` count as active."""
    due = made.due(BOTH)
    for concert_id in due:
        made.completed(concert_id, is_active=concert_id in active)
    return due


def test_new_concert_is_due_immediately() -> None:
    made, _ = make_schedule()
    assert made.due([ONE]) == [ONE]
    made.completed(ONE, is_active=False)
    assert made.due(BOTH) == [OTHER]


def test_active_concerts_are_due_often_and_idle_ones_rarely() -> None:
    made, clock = make_schedule()
    run(made, ONE)
    runs = []
    for _ in range(100):
        clock.now += 0.1
        runs += [(concert_id, clock.now) for concert_id in run(made, ONE)]
    times = [at for concert_id, at in runs if concert_id == ONE]
    assert 9 <= len(times) <= 10
    assert all(later - earlier >= ACTIVE_S - 1e-6 for earlier, later in pairwise(times))
    assert OTHER not in dict(runs)
    clock.now += 1.1
    assert run(made) == [*BOTH]


def test_idle_concert_that_is_nearly_due_runs_with_others() -> None:
    made, clock = make_schedule()
    made.due(BOTH)
    made.completed(ONE, is_active=False)
    clock.now += 0.05
    made.completed(OTHER, is_active=False)
    made.wake(ONE)
    clock.now += ACTIVE_S
    assert run(made) == [ONE]
    clock.now += IDLE_S * 1.1 - ACTIVE_S - 0.04
    assert OTHER in run(made)


def test_woken_concert_is_due_as_soon_as_an_active_one() -> None:
    made, clock = make_schedule()
    run(made)
    assert made.wake(ONE)
    assert made.due(BOTH) == []
    clock.now += ACTIVE_S
    assert made.due(BOTH) == [ONE]


def test_wake_up_during_a_run_is_not_lost() -> None:
    made, clock = make_schedule()
    assert made.due([ONE]) == [ONE]
    made.wake(ONE)
    made.completed(ONE, is_active=False)
    clock.now += ACTIVE_S * 1.1
    assert made.due([ONE]) == [ONE]
    made.completed(ONE, is_active=False)
    clock.now += ACTIVE_S * 1.1
    assert made.due([ONE]) == []


def test_wake_all_wakes_every_concert_and_an_unknown_id_wakes_none() -> None:
    made, clock = make_schedule()
    assert not made.wake(ONE)
    run(made)
    assert not made.wake(ConcertId("unknown"))
    clock.now += ACTIVE_S
    assert made.due(BOTH) == []
    made.wake_all()
    assert made.due(BOTH) == [*BOTH]


def test_failure_pauses_the_concert() -> None:
    made, clock = make_schedule()
    made.due([ONE])
    made.failed(ONE)
    clock.now += ACTIVE_S * 1.1
    assert made.due([ONE]) == []
    clock.now += IDLE_S
    assert made.due([ONE]) == [ONE]


def test_concert_that_is_no_longer_listed_is_forgotten() -> None:
    made, _ = make_schedule()
    run(made)
    assert made.due([OTHER]) == []
    assert not made.wake(ONE)


async def test_wait_ends_when_a_concert_is_due(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schedule_module, "RELIST_EVERY_S", NEVER_S)
    made = Schedule(active_s=0.02, idle_s=NEVER_S)
    made.due([ONE])
    made.completed(ONE, is_active=True)
    await made.wait()
    assert made.due([ONE]) == [ONE]


async def test_wake_up_ends_the_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schedule_module, "RELIST_EVERY_S", NEVER_S)
    made = Schedule(active_s=0.0, idle_s=NEVER_S)
    run(made)
    # This runs once the wait below suspends the test.
    asyncio.get_running_loop().call_soon(made.wake, ONE)
    await made.wait()
    assert ONE in made.due(BOTH)


async def test_wait_ends_in_time_to_list_new_concerts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schedule_module, "RELIST_EVERY_S", 0.02)
    made = Schedule(active_s=NEVER_S, idle_s=NEVER_S)
    run(made)
    await made.wait()
    assert made.due(BOTH) == []


@given(st.lists(st.tuples(st.sampled_from(["active", "wake", "idle", "fail"]), st.floats(0, 1.5)), max_size=60))
def test_woken_concert_is_always_due_in_time(steps: list[tuple[str, float]]) -> None:
    made, clock = make_schedule()
    woken_s: float | None = None
    is_running = False
    for step, passes_s in steps:
        clock.now += passes_s
        if step == "wake":
            if made.wake(ONE) and woken_s is None:
                woken_s = clock.now
        elif is_running:
            if step == "fail":
                made.failed(ONE)
            else:
                made.completed(ONE, is_active=step == "active")
            is_running = False
        else:
            is_running = made.due([ONE]) == [ONE]
            if is_running:
                woken_s = None
            elif woken_s is not None:
                assert clock.now - woken_s < ACTIVE_S * 1.1 + 1e-6


def test_first_run_tells_nothing_about_the_delay_of_its_work() -> None:
    made, _ = make_schedule()
    run(made)
    assert made.longest_delay_s(ONE) == inf
    assert made.longest_delay_s(ConcertId("unknown")) == inf


def test_work_has_waited_at_most_since_the_previous_run() -> None:
    made, clock = make_schedule()
    run(made, ONE)
    clock.now += ACTIVE_S * 2
    assert run(made, ONE) == [ONE]
    clock.now += 0.5
    assert made.longest_delay_s(ONE) == ACTIVE_S * 2 + 0.5


def test_work_of_an_idle_concert_has_waited_since_the_first_wake_up() -> None:
    made, clock = make_schedule()
    run(made)
    clock.now += ACTIVE_S * 5
    made.wake(ONE)
    clock.now += 0.25
    made.wake(ONE)
    assert run(made) == [ONE]
    assert made.longest_delay_s(ONE) == 0.25
