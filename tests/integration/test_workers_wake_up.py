"""An idle concert is woken immediately, and no concert holds up the others."""

import logging
from collections import Counter

import pytest

from domain.concerts import Concert
from domain.ids import ConcertId
from domain.queues import EntryState
from resolvers import queues
from storage.connect import Stores
from storage.hot.hot_state import AdmissionRun, ExpiryRun
from storage.keys import WORK_CHANNEL
from tests.support.hot_keys import concert_key, make_due
from tests.support.queue_steps import admit, change_room, is_called, join, states, with_room
from tests.support.sale import context, opened
from tests.support.waiting import wait_until
from tests.support.worker_steps import running_workers
from workers.admission import AdmissionWorker
from workers.concert_worker import MAX_REPEATS, RunResult
from workers.expiry import ExpiryWorker


class RunCounter:
    """Counts the runs of the admission worker by concert."""

    def __init__(self, stores: Stores, monkeypatch: pytest.MonkeyPatch) -> None:
        self._counts: Counter[ConcertId] = Counter()
        run_admission = stores.hot_state.run_admission

        async def counted(concert_id: ConcertId, *, bound: int) -> AdmissionRun:
            self._counts[concert_id] += 1
            return await run_admission(concert_id, bound=bound)

        monkeypatch.setattr(stores.hot_state, "run_admission", counted)

    def count(self, concert: Concert) -> int:
        return self._counts[concert.id]

    async def wait_for_three(self, concert: Concert) -> None:
        """Wait for three more runs for the concert."""
        before = self.count(concert)
        await wait_until(lambda: self.count(concert) >= before + 3, what="three more runs")


async def test_no_worker_runs_for_an_idle_concert_until_the_first_join(
    any_stores: Stores, store_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An idle concert is due only after an hour, so calling ben in time requires a wake-up."""
    monkeypatch.setattr(AdmissionWorker, "idle_s", 3_600.0)
    active, idle = await with_room(any_stores), await with_room(any_stores)
    runs = RunCounter(any_stores, monkeypatch)
    async with running_workers(any_stores, store_url, "expiry", "admission"):
        await wait_until(lambda: runs.count(active) and runs.count(idle), what="the first runs")
        await queues.join_queue(context(any_stores, "ann"), active.id)
        # Starting the subscription wakes all concerts, but it does so before ann is called.
        await wait_until(lambda: is_called(any_stores, active, "ann"), what="the call for the active concert")
        await runs.wait_for_three(active)
        before = runs.count(idle)
        await runs.wait_for_three(active)
        assert runs.count(idle) == before
        await queues.join_queue(context(any_stores, "ben"), idle.id)
        await wait_until(lambda: is_called(any_stores, idle, "ben"), what="the call for the idle concert")
        await runs.wait_for_three(idle)


async def test_a_concert_created_by_another_process_is_found(
    valkey_url: str, mongo_url: str, mongo_database: str
) -> None:
    async with (
        opened(valkey_url, mongo_url, mongo_database) as shop,
        opened(valkey_url, mongo_url, mongo_database) as stores,
    ):
        assert await stores.concert_cache.list_all() == ()
        async with running_workers(stores, valkey_url, "expiry", "admission"):
            concert = await with_room(shop)
            await queues.join_queue(context(shop, "ann"), concert.id)
            await wait_until(lambda: is_called(shop, concert, "ann"), what="the call")


async def test_a_lost_hint_only_delays_the_call(
    stores: Stores, valkey_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workers.runner.WORK_CHANNEL", f"{WORK_CHANNEL}:unused")
    monkeypatch.setattr(AdmissionWorker, "idle_s", 0.3)
    concert = await with_room(stores)
    runs = RunCounter(stores, monkeypatch)
    async with running_workers(stores, valkey_url, "expiry", "admission"):
        await runs.wait_for_three(concert)
        await queues.join_queue(context(stores, "ann"), concert.id)
        await wait_until(lambda: is_called(stores, concert, "ann"), what="the call")


@pytest.mark.parametrize("worker", [ExpiryWorker(), AdmissionWorker()], ids=lambda worker: worker.name)
async def test_a_busy_concert_does_not_block_others(
    stores: Stores, monkeypatch: pytest.MonkeyPatch, worker: ExpiryWorker | AdmissionWorker
) -> None:
    concert = await with_room(stores)
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


async def test_a_failing_concert_does_not_stop_others(
    stores: Stores, valkey_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    broken, concert = await with_room(stores), await with_room(stores)
    slots = concert_key(broken, "slots")
    await stores.script_client.run_command("SET", slots, "not a sorted set")
    await queues.join_queue(context(stores, "ann"), concert.id)
    with caplog.at_level(logging.WARNING, logger="workers.runner"):
        async with running_workers(stores, valkey_url, "admission"):
            await wait_until(lambda: is_called(stores, concert, "ann"), what="the call")
            await wait_until(lambda: caplog.records, what="the warning")
    assert [record.getMessage().partition(": WRONGTYPE")[0] for record in caplog.records] == [
        f"worker admission failed, trying again: concert {broken.id}"
    ]
    await stores.script_client.run_command("DEL", slots)


async def test_calls_expire_in_a_suspended_room(any_stores: Stores) -> None:
    concert = await with_room(any_stores)
    await join(any_stores, concert, "ann")
    assert await admit(any_stores, concert) == 1
    await change_room(any_stores, concert, suspended=True)
    await make_due(any_stores, concert, "slots", "ann")
    await AdmissionWorker().run_once(any_stores)
    assert await states(any_stores, concert, "ann") == [EntryState.EXPIRED]
