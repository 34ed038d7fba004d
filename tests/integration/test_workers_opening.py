"""The worker that opens drawn lines: on time, once, and each for itself."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from domain.concerts import Concert
from domain.ids import ConcertId
from domain.queues import EntryState
from domain.room_changes import RoomSettingsPatch
from resolvers import rooms
from storage.connect import Stores
from tests.integration.test_storage_queues import with_room
from tests.support.lottery import (
    Copy,
    check_draw,
    entries,
    make_people,
    register,
    revealed,
    sorted_numbers,
    with_lottery,
)
from tests.support.sale import key, opened, organizer
from tests.support.waiting import wait_until
from workers.opening import OpeningWorker
from workers.runner import run_workers


class Asked:
    """Which concerts the worker asks to be opened."""

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


async def test_a_line_opens_at_its_time(stores: Stores, valkey_url: str) -> None:
    """Among all workers as they are run; the stores' clock and ours are one here."""
    opens_at = datetime.now(UTC) + timedelta(seconds=1)
    concert = await with_lottery(stores, opens_at=opens_at)
    people = make_people(5)
    await register(stores, concert, people)
    assert await OpeningWorker().run_once(stores) == 0
    assert {entry.state for entry in await entries(stores, concert, people)} == {EntryState.PREQUEUED}
    running = asyncio.create_task(run_workers(stores, valkey_url))
    await wait_until(lambda: _is_opened(stores, concert), what="the opening")
    assert datetime.now(UTC) >= opens_at
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert (await revealed(stores, concert)).registrations == 5
    assert await sorted_numbers(stores, concert, people) == [1, 2, 3, 4, 5]


async def _is_opened(stores: Stores, concert: Concert) -> bool:
    return (await stores.queues.read_queue(concert.id)).is_opened


async def test_an_open_line_is_no_work_any_more(stores: Stores, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = Asked(stores, monkeypatch)
    concert = await with_lottery(stores)
    later = await with_lottery(stores, opens_at=datetime.now(UTC) + timedelta(hours=1))
    await with_room(stores, 10)
    worker = OpeningWorker()
    assert [await worker.run_once(stores) for _ in range(3)] == [1, 0, 0]
    assert asked.concerts == [concert.id]
    # A process that comes later finds out once.
    another = OpeningWorker()
    assert [await another.run_once(stores) for _ in range(3)] == [0, 0, 0]
    assert asked.concerts == [concert.id, concert.id]
    assert not (await stores.queues.read_queue(later.id)).is_opened


async def test_a_new_round_is_new_work(stores: Stores) -> None:
    concert = await with_lottery(stores)
    worker = OpeningWorker()
    assert await worker.run_once(stores) == 1
    again = await rooms.reset(organizer(stores), concert.id, RoomSettingsPatch(), key())
    await register(stores, again, make_people(4))
    assert [await worker.run_once(stores) for _ in range(2)] == [1, 0]
    await check_draw(stores, again, make_people(4))


async def test_one_that_fails_keeps_no_other_from_opening(
    stores: Stores, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    broken, good = await with_lottery(stores), await with_lottery(stores)
    Asked(stores, monkeypatch, failing=[broken.id])
    worker = OpeningWorker()
    assert [await worker.run_once(stores) for _ in range(3)] == [1, 0, 0]
    assert (await stores.queues.read_queue(good.id)).is_opened
    warned = [record.getMessage() for record in caplog.records if record.name == "workers.opening"]
    assert warned == [f"the lottery of concert {broken.id} cannot be opened yet: no commitment"]


async def test_workers_of_two_processes_open_once(valkey_url: str, mongo_url: str, mongo_database: str) -> None:
    async with (
        opened(valkey_url, mongo_url, mongo_database) as one,
        opened(valkey_url, mongo_url, mongo_database) as other,
    ):
        concert = await with_lottery(one)
        await register(one, concert, make_people(20))
        runs = [OpeningWorker().run_once(stores) for stores in (one, other, one, other)]
        assert sum(await asyncio.gather(*runs)) == 1
        await check_draw(other, concert, make_people(20))


async def test_a_store_that_forgot_is_recovered_and_opened(stores: Stores) -> None:
    concert = await with_lottery(stores)
    people = make_people(6)
    await register(stores, concert, people)
    copy = await Copy(stores, concert).take()
    await copy.put_back()
    worker = OpeningWorker()
    assert await worker.run_once(stores) == 0
    await wait_until(lambda: worker.run_once(stores), what="the opening after the recovery")
    await check_draw(stores, concert, people)
