"""Workers on idle and active concerts: seldom looked at, woken at once, and none keeps another from its turn."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from itertools import pairwise

import pytest

from domain.concerts import Concert
from domain.ids import ConcertId
from domain.queues import EntryState, RoomSettings
from resolvers import queues
from storage.connect import Stores
from storage.hot.hot_state import AdmissionRun, ExpiryRun
from storage.keys import KINDS, WORK_CHANNEL, concert_keys
from tests.support.sale import context, on_sale, opened
from tests.support.waiting import wait_until
from workers.admission import AdmissionWorker
from workers.concert_worker import ACTIVE_S, MAX_REPEATS, RunResult
from workers.expiry import ExpiryWorker
from workers.runner import run_workers

ROOM = RoomSettings(suspended=False)
SHORT_IDLE_S = 1.0
"""Instead of two seconds, where the pace itself is not what is tested."""


@asynccontextmanager
async def running(stores: Stores, redis_url: str, *names: str) -> AsyncIterator[None]:
    task = asyncio.create_task(run_workers(stores, redis_url, names))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


class Watched:
    """Notes every look of the admission worker, by concert; idle ones come sooner than in a sale."""

    def __init__(self, stores: Stores, monkeypatch: pytest.MonkeyPatch) -> None:
        self.looks: dict[ConcertId, list[float]] = {}
        admit = stores.hot_state.run_admission

        async def noted(concert_id: ConcertId, *, bound: int) -> AdmissionRun:
            self.looks.setdefault(concert_id, []).append(time.monotonic())
            return await admit(concert_id, bound=bound)

        monkeypatch.setattr(stores.hot_state, "run_admission", noted)
        monkeypatch.setattr(AdmissionWorker, "idle_s", SHORT_IDLE_S)

    def count(self, concert: Concert) -> int:
        return len(self.looks.get(concert.id, []))

    def gaps(self, concert: Concert) -> list[float]:
        times = self.looks[concert.id]
        return [later - earlier for earlier, later in pairwise(times)]

    def is_idle(self, concert: Concert) -> bool:
        return self.count(concert) > 1 and self.gaps(concert)[-1] > SHORT_IDLE_S


async def state(stores: Stores, concert: Concert, who: str) -> EntryState:
    found = await queues.get_viewer_entry(context(stores, who), concert.id)
    assert found is not None
    return found.state


async def test_an_idle_concert_is_left_alone_and_the_first_to_join_wakes_its_worker(
    any_stores: Stores, store_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    concert, other = await on_sale(any_stores, 10, room=ROOM), await on_sale(any_stores, 10, room=ROOM)
    watched = Watched(any_stores, monkeypatch)
    async with running(any_stores, store_url, "expiry", "admission"):
        # The feed's first word wakes everybody; from then on each turn is an idle one.
        await wait_until(lambda: watched.is_idle(concert), what="idle looks")
        before = watched.count(other)
        joined = time.monotonic()
        await queues.join_queue(context(any_stores, "ann"), concert.id)

        async def is_called() -> bool:
            return await state(any_stores, concert, "ann") is EntryState.READY

        await wait_until(is_called, what="the call")
        assert time.monotonic() - joined < SHORT_IDLE_S * 0.8
        looks = watched.count(concert)
        await wait_until(lambda: watched.count(concert) >= looks + 3, what="looks at an active concert")
        assert watched.count(other) == before
    gaps = watched.gaps(concert)
    # Timers of a loop may be a little early.
    assert all(gap > ACTIVE_S - 0.02 for gap in gaps)
    assert min(gaps[-3:]) < SHORT_IDLE_S / 2


async def test_a_concert_published_elsewhere_is_found_when_something_begins_there(
    valkey_url: str, mongo_url: str, mongo_database: str
) -> None:
    async with (
        opened(valkey_url, mongo_url, mongo_database) as shop,
        opened(valkey_url, mongo_url, mongo_database) as stores,
        running(stores, valkey_url, "expiry", "admission"),
    ):
        await wait_until(lambda: stores.concert_cache._concerts is not None, what="the first list")
        concert = await on_sale(shop, 10, room=ROOM)
        await queues.join_queue(context(shop, "ann"), concert.id)

        async def is_called() -> bool:
            return await state(shop, concert, "ann") is EntryState.READY

        await wait_until(is_called, what="the call")


async def test_hints_that_are_lost_only_cost_time(
    stores: Stores, valkey_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    concert = await on_sale(stores, 10, room=ROOM)
    monkeypatch.setattr("workers.runner.WORK_CHANNEL", f"{WORK_CHANNEL}:nobody")
    watched = Watched(stores, monkeypatch)
    async with running(stores, valkey_url, "expiry", "admission"):
        await wait_until(lambda: watched.is_idle(concert), what="idle looks")
        await queues.join_queue(context(stores, "ann"), concert.id)

        async def is_called() -> bool:
            return await state(stores, concert, "ann") is EntryState.READY

        await wait_until(is_called, what="the call")


@pytest.mark.parametrize("worker", [ExpiryWorker(), AdmissionWorker()], ids=lambda worker: worker.name)
async def test_a_concert_with_much_to_do_lets_others_have_their_turn(
    stores: Stores, monkeypatch: pytest.MonkeyPatch, worker: ExpiryWorker | AdmissionWorker
) -> None:
    concert = await on_sale(stores, 10, room=ROOM)
    calls: list[ConcertId] = []

    async def admit(concert_id: ConcertId, *, bound: int) -> AdmissionRun:
        calls.append(concert_id)
        return AdmissionRun("RAN", bound, is_bounded=True, is_active=False)

    async def expire_holds(concert_id: ConcertId, *, limit: int) -> ExpiryRun:
        calls.append(concert_id)
        return ExpiryRun("EXPIRED", limit, is_active=False)

    monkeypatch.setattr(stores.hot_state, "run_admission", admit)
    monkeypatch.setattr(stores.hot_state, "expire_holds", expire_holds)
    bound = 500 if worker.name == "expiry" else 1_000
    assert await worker.run_for(stores, concert.id) == RunResult(bound * MAX_REPEATS, is_active=True)
    assert calls == [concert.id] * MAX_REPEATS
    monkeypatch.undo()


async def test_a_concert_that_cannot_be_looked_at_keeps_no_other_from_it(
    stores: Stores, valkey_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    broken, concert = await on_sale(stores, 10, room=ROOM), await on_sale(stores, 10, room=ROOM)
    slots = concert_keys(broken.id)[KINDS.index("slots")]
    await stores.script_client.run_command("SET", slots, "not a sorted set")
    await queues.join_queue(context(stores, "ann"), concert.id)

    async def is_called() -> bool:
        return await state(stores, concert, "ann") is EntryState.READY

    with caplog.at_level(logging.WARNING, logger="workers.concert_worker"):
        async with running(stores, valkey_url, "admission"):
            await wait_until(is_called, what="the call")
            await wait_until(lambda: caplog.records, what="the warning")
    assert [record.getMessage().split(" with: ")[0] for record in caplog.records] == [
        f"worker admission failed for 1 concerts, first for {broken.id}"
    ]
    await stores.script_client.run_command("DEL", slots)


async def test_calls_end_in_a_suspended_room_too(any_stores: Stores) -> None:
    concert = await on_sale(any_stores, 10, room=ROOM)
    await queues.join_queue(context(any_stores, "ann"), concert.id)
    await ExpiryWorker().run_once(any_stores)
    assert await AdmissionWorker().run_once(any_stores) == 1
    before = await any_stores.concerts.get(concert.id)
    assert before is not None
    off = replace(before, version=before.version + 1, room=replace(before.room, suspended=True))
    assert await any_stores.hot_state.apply_concert(off) == "APPLIED"
    await any_stores.script_client.run_command("ZADD", concert_keys(concert.id)[KINDS.index("slots")], "XX", "1", "ann")
    await AdmissionWorker().run_once(any_stores)
    assert await state(any_stores, concert, "ann") is EntryState.EXPIRED
