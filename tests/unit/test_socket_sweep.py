"""One sweep checks the deadlines of all sockets, in slices."""

import asyncio
import logging
from dataclasses import dataclass, field

import pytest

from subscriptions.sockets.limits import Limits
from subscriptions.sockets.sweep import DUE_PER_SLICE, MAX_INTERVAL_S, Sweep, sweep_for
from tests.support.loop_clock import LoopClock
from tests.support.waiting import wait_until

NEVER = float("inf")


@dataclass(eq=False)
class FakeSocket:
    due_s: float = NEVER
    handled: list[float] = field(default_factory=list)
    error: Exception | None = None

    def on_due(self, now_s: float) -> None:
        self.handled.append(now_s)
        self.due_s = NEVER
        if self.error is not None:
            raise self.error


@dataclass
class RecordedTimers:
    """Keeps the delays of all timers of the running loop."""

    delays_s: list[float] = field(default_factory=list)
    pending: list[asyncio.TimerHandle] = field(default_factory=list)

    def start(self, monkeypatch: pytest.MonkeyPatch) -> None:
        loop = asyncio.get_running_loop()
        call_later = loop.call_later

        def record(delay_s: float, callback: object, *args: object, **options: object) -> asyncio.TimerHandle:
            self.delays_s.append(delay_s)
            self.pending.append(call_later(delay_s, callback, *args, **options))  # type: ignore[arg-type]
            return self.pending[-1]

        monkeypatch.setattr(loop, "call_later", record)


async def test_only_due_sockets_are_handled() -> None:
    clock, sweep = LoopClock(), Sweep(0.001)
    due, later = FakeSocket(clock.time() + 10), FakeSocket(clock.time() + 3_600)
    sweep.add(due)
    sweep.add(later)
    clock.advance(100)
    await wait_until(lambda: due.handled, what="the due socket")
    clock.advance(3_600)
    await wait_until(lambda: later.handled, what="the later socket")
    assert len(due.handled) == 1
    sweep.discard(due)
    sweep.discard(later)


async def test_other_tasks_run_between_slices_of_due_sockets() -> None:
    sweep, members = Sweep(0), [FakeSocket(0.0) for _ in range(3 * DUE_PER_SLICE)]
    for member in members:
        sweep.add(member)
    counts = {0}
    while len(counts) < 4:
        await asyncio.sleep(0)
        counts.add(sum(len(member.handled) for member in members))
    assert sorted(counts) == [0, DUE_PER_SLICE, 2 * DUE_PER_SLICE, 3 * DUE_PER_SLICE]
    for member in members:
        sweep.discard(member)


async def test_failing_deadline_does_not_stop_the_sweep(caplog: pytest.LogCaptureFixture) -> None:
    sweep = Sweep(0)
    members = [FakeSocket(0.0, error=RuntimeError("broken")), FakeSocket(0.0)]
    for member in members:
        sweep.add(member)
    await wait_until(lambda: all(member.handled for member in members), what="both sockets")
    members[1].due_s = 0.0
    await wait_until(lambda: len(members[1].handled) == 2, what="the next pass")
    assert [record.levelno for record in caplog.records] == [logging.ERROR]
    for member in members:
        sweep.discard(member)


async def test_sweep_has_no_timer_without_sockets(monkeypatch: pytest.MonkeyPatch) -> None:
    timers, sweep, member = RecordedTimers(), Sweep(60), FakeSocket()
    timers.start(monkeypatch)
    sweep.discard(member)
    assert timers.pending == []
    for count in (1, 2):
        sweep.add(member)
        assert len(timers.pending) == count
        sweep.discard(member)
        assert timers.pending[-1].cancelled()


async def test_sweep_runs_often_enough_for_the_shortest_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    timers, member = RecordedTimers(), FakeSocket()
    timers.start(monkeypatch)
    limits = [Limits(), Limits(pong_wait_s=0.4), Limits(drain_wait_s=0.04), Limits(probe_wait_s=3_600)]
    for limit in limits:
        sweep = sweep_for(limit)
        sweep.add(member)
        sweep.discard(member)
    assert timers.delays_s == [pytest.approx(delay) for delay in (0.25, 0.1, 0.01, MAX_INTERVAL_S)]
