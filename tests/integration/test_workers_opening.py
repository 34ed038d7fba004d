"""The worker opens each lottery queue on time, only once, and independently of the others."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, tzinfo

import pytest

from domain.concerts import Concert
from domain.ids import ConcertId
from domain.queues import EntryState
from domain.room_changes import RoomSettingsPatch
from resolvers import rooms
from storage.connect import Stores
from tests.support.hot_keys import advance_clock
from tests.support.lottery import check_draw, register, revealed, sorted_numbers, with_lottery
from tests.support.queue_steps import make_people, records, with_room
from tests.support.sale import key, opened, organizer
from tests.support.store_copies import ConcertCopy
from tests.support.waiting import wait_until
from tests.support.worker_steps import running_workers
from workers.opening import OpeningWorker


class OpeningRecorder:
    """Records the concerts that the worker tries to open; opening those in `failing` fails."""

    def __init__(self, stores: Stores, monkeypatch: pytest.MonkeyPatch, *, failing: Sequence[ConcertId] = ()) -> None:
        self.concerts: list[ConcertId] = []
        self._open = stores.lottery_opener.open
        self._failing = failing
        monkeypatch.setattr(stores.lottery_opener, "open", self.open)

    async def open(self, concert: Concert) -> str:
        self.concerts.append(concert.id)
        if concert.id in self._failing:
            raise LookupError("no commitment")
        return await self._open(concert)


async def test_a_queue_opens_at_its_scheduled_time(
    stores: Stores, valkey_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All workers run, and the clocks of the worker and the store advance by an hour."""
    opens_at = datetime.now(UTC) + timedelta(hours=1)
    concert = await with_lottery(stores, opens_at=opens_at)
    people = make_people(5)
    await register(stores, concert, people)
    assert await OpeningWorker().run_once(stores) == 0
    assert {entry.state for entry in await records(stores, concert, people)} == {EntryState.PREQUEUED}
    recorder = OpeningRecorder(stores, monkeypatch)
    async with running_workers(stores, valkey_url):
        await advance_clock(stores, concert, 3_600_000)
        assert recorder.concerts == []
        monkeypatch.setattr("workers.opening.datetime", LaterClock)
        await wait_until(lambda: _is_opened(stores, concert), what="the opening")
    assert (await revealed(stores, concert)).registrations == 5
    assert await sorted_numbers(stores, concert, people) == [1, 2, 3, 4, 5]


class LaterClock(datetime):
    """A clock that is an hour ahead."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> "LaterClock":
        return super().now(tz) + timedelta(hours=1)


async def _is_opened(stores: Stores, concert: Concert) -> bool:
    return (await stores.queues.read_queue(concert.id)).is_opened


async def test_an_open_queue_is_not_opened_again(stores: Stores, monkeypatch: pytest.MonkeyPatch) -> None:
    recorder = OpeningRecorder(stores, monkeypatch)
    concert = await with_lottery(stores)
    later = await with_lottery(stores, opens_at=datetime.now(UTC) + timedelta(hours=1))
    await with_room(stores, 10)
    worker = OpeningWorker()
    assert [await worker.run_once(stores) for _ in range(3)] == [1, 0, 0]
    assert recorder.concerts == [concert.id]
    # Another process tries once and finds that the queue is open.
    another = OpeningWorker()
    assert [await another.run_once(stores) for _ in range(3)] == [0, 0, 0]
    assert recorder.concerts == [concert.id, concert.id]
    assert not (await stores.queues.read_queue(later.id)).is_opened


async def test_a_new_round_is_opened(stores: Stores) -> None:
    concert = await with_lottery(stores)
    worker = OpeningWorker()
    assert await worker.run_once(stores) == 1
    again = await rooms.reset(organizer(stores), concert.id, RoomSettingsPatch(), key())
    await register(stores, again, make_people(4))
    assert [await worker.run_once(stores) for _ in range(2)] == [1, 0]
    await check_draw(stores, again, make_people(4))


async def test_a_failed_opening_does_not_stop_the_others(
    stores: Stores, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    broken, good = await with_lottery(stores), await with_lottery(stores)
    OpeningRecorder(stores, monkeypatch, failing=[broken.id])
    worker = OpeningWorker()
    assert [await worker.run_once(stores) for _ in range(3)] == [1, 0, 0]
    assert (await stores.queues.read_queue(good.id)).is_opened
    warned = [record.getMessage() for record in caplog.records if record.name == "workers.opening"]
    assert warned == [f"the queue of concert {broken.id} cannot be opened yet: no commitment"]


async def test_workers_in_two_processes_open_a_queue_once(valkey_url: str, mongo_url: str, mongo_database: str) -> None:
    async with (
        opened(valkey_url, mongo_url, mongo_database) as one,
        opened(valkey_url, mongo_url, mongo_database) as other,
    ):
        concert = await with_lottery(one)
        await register(one, concert, make_people(20))
        runs = [OpeningWorker().run_once(stores) for stores in (one, other, one, other)]
        assert sum(await asyncio.gather(*runs)) == 1
        await check_draw(other, concert, make_people(20))


async def test_a_queue_opens_after_its_rolled_back_store_is_recovered(stores: Stores) -> None:
    concert = await with_lottery(stores)
    people = make_people(6)
    await register(stores, concert, people)
    copy = await ConcertCopy(stores, concert).take()
    await copy.put_back()
    worker = OpeningWorker()
    assert await worker.run_once(stores) == 0
    await wait_until(lambda: worker.run_once(stores), what="the opening after the recovery")
    await check_draw(stores, concert, people)
