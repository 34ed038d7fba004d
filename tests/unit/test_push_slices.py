"""Deliveries run in slices, and their share of the time is a setting."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from domain.topics import StockTopic
from settings import Settings, SettingsError
from subscriptions.interfaces import Rendered
from subscriptions.publishing.concert_publisher import pause_after
from subscriptions.publishing.subscriber_groups import RENDERS_PER_TURN, Subscriber, SubscriberGroups
from tests.support.hub_recorder import SnapshotRecorder
from tests.support.snapshots import CONCERT, SALE

TOPIC = StockTopic(CONCERT.id)


class Turns:
    """Counts the iterations of the event loop."""

    def __init__(self) -> None:
        self.count = 0

    async def run(self) -> None:
        while True:
            self.count += 1
            await asyncio.sleep(0)


@asynccontextmanager
async def counted_turns() -> AsyncIterator[Turns]:
    turns = Turns()
    task = asyncio.create_task(turns.run())
    await asyncio.sleep(0)
    try:
        yield turns
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def groups_of(subscribers: int, on_delivery: Callable[[], None], *, groups: int = 1) -> SubscriberGroups:
    made = SubscriberGroups()
    for number in range(subscribers):
        source = SnapshotRecorder(TOPIC, group=str(number % groups))

        def deliver(_rendered: Rendered) -> None:
            on_delivery()

        made.add(Subscriber(source, deliver))
    made.begin_refresh()
    return made


async def test_other_tasks_run_after_two_hundred_deliveries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("storage.time_slice.time.monotonic", lambda: 0.0)
    delivered: list[int] = []
    async with counted_turns() as turns:
        groups = groups_of(1_000, lambda: delivered.append(turns.count))
        assert await groups.publish(TOPIC, SALE)
    assert len(delivered) == 1_000
    assert [delivered.count(turn) for turn in sorted(set(delivered))] == [200] * 5


async def test_other_tasks_run_after_two_milliseconds(monkeypatch: pytest.MonkeyPatch) -> None:
    now_s, delivered = [0.0], list[int]()
    monkeypatch.setattr("storage.time_slice.time.monotonic", lambda: now_s[0])
    async with counted_turns() as turns:

        def deliver() -> None:
            now_s[0] += 0.000_04
            delivered.append(turns.count)

        assert await groups_of(600, deliver).publish(TOPIC, SALE)
    assert [delivered.count(turn) for turn in sorted(set(delivered))] == [60] * 10


async def test_deliveries_to_several_groups_share_a_slice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("storage.time_slice.time.monotonic", lambda: 0.0)
    delivered: list[int] = []
    async with counted_turns() as turns:
        groups = groups_of(2_000, lambda: delivered.append(turns.count), groups=10)
        assert await groups.publish(TOPIC, SALE)
    assert len(delivered) == 2_000
    assert max(delivered.count(turn) for turn in set(delivered)) == 200


async def test_delivery_that_fails_stops_no_other(caplog: pytest.LogCaptureFixture) -> None:
    delivered: list[int] = []

    def deliver() -> None:
        delivered.append(len(delivered))
        if len(delivered) == 2:
            raise RuntimeError("the transport is broken")

    assert await groups_of(5, deliver).publish(TOPIC, SALE)
    assert len(delivered) == 5
    assert [record.message for record in caplog.records] == ["a payload could not be delivered"]


async def test_few_groups_begin_to_render_in_one_turn() -> None:
    """A client can create a group for each of its documents."""
    rendered: list[int] = []

    class CountsTurns(SnapshotRecorder):
        async def render(self, snapshot: object) -> Rendered:
            rendered.append(turns.count)
            return Rendered(b"{}")

    groups = SubscriberGroups()
    for number in range(100):
        groups.add(Subscriber(CountsTurns(TOPIC, group=str(number)), lambda _rendered: None))
    groups.begin_refresh()
    async with counted_turns() as turns:
        assert await groups.publish(TOPIC, SALE)
    assert len(rendered) == 100
    assert max(rendered.count(turn) for turn in set(rendered)) == RENDERS_PER_TURN


@pytest.mark.parametrize(
    ("took_s", "tick_s", "share", "pause_s"),
    [(0.02, 0.1, 1.0, 0.08), (0.2, 0.1, 1.0, 0.0), (0.2, 0.1, 0.5, 0.2), (0.2, 0.0, 0.25, 0.6), (0.02, 0.1, 0.5, 0.08)],
)
def test_pause_keeps_the_tick_and_the_share(took_s: float, tick_s: float, share: float, pause_s: float) -> None:
    assert pause_after(took_s, tick_s=tick_s, loop_share=share) == pytest.approx(pause_s)


def test_settings_of_pushes_are_read() -> None:
    settings = Settings.from_env({"ONSALE_PUSH_TICK_MS": "0", "ONSALE_PUSH_LOOP_PERCENT": "50"})
    assert (settings.push_tick_ms, settings.push_loop_percent) == (0, 50)
    assert (Settings().push_tick_ms, Settings().push_loop_percent) == (100, 100)


@pytest.mark.parametrize("value", ["0", "9", "101", "0.5", "half"])
def test_share_outside_its_bounds_is_refused(value: str) -> None:
    with pytest.raises(SettingsError, match=r"ONSALE_PUSH_LOOP_PERCENT is .* whole number from 10 to 100"):
        Settings.from_env({"ONSALE_PUSH_LOOP_PERCENT": value})
