"""Numbers are drawn once, even if several processes open the queue or one of them crashes."""

import asyncio
import logging
import subprocess
import sys
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from domain.ids import PersonId
from domain.lottery import draw
from domain.queues import EntryState
from domain.room_changes import RoomSettingsPatch
from resolvers import rooms
from storage.connect import Stores
from storage.embedded.process import ServerProcess
from storage.keys import concert_keys
from tests.support.crashes import Crashed, crash_at
from tests.support.hot_keys import advance_clock, concert_key
from tests.support.lottery import (
    check_draw,
    numbers,
    proof_of,
    register,
    revealed,
    secret_of,
    sorted_numbers,
    with_lottery,
)
from tests.support.queue_steps import admit, leave_all, make_people, records
from tests.support.sale import key, opened, organizer
from tests.support.waiting import wait_until
from workers.opening import OpeningWorker

VERIFIER = Path(__file__).parents[2] / "deploy" / "verify" / "lottery.py"
LATE = [PersonId("late")]


async def test_a_draw_gives_each_person_a_number_with_a_proof(any_stores: Stores) -> None:
    concert = await with_lottery(any_stores)
    people = make_people(20)
    await register(any_stores, concert, people)
    before = await records(any_stores, concert, people)
    assert {(entry.state, entry.number) for entry in before} == {(EntryState.PREQUEUED, None)}
    assert sorted(entry.lot or 0 for entry in before) == list(range(1, 21))
    assert [await any_stores.lottery_opener.open(concert) for _ in range(2)] == ["OPENED", "OPEN"]
    await check_draw(any_stores, concert, people)
    assert await sorted_numbers(any_stores, concert, people) == list(range(1, 21))
    await register(any_stores, concert, LATE)
    (late,) = await records(any_stores, concert, LATE)
    assert (late.number, late.lot, late.state) == (21, None, EntryState.WAITING)
    await check_draw(any_stores, concert, [*people, *LATE])


async def test_people_are_called_in_the_drawn_order(stores: Stores) -> None:
    concert = await with_lottery(stores, total_active_users=3)
    people = make_people(8)
    await register(stores, concert, people)
    assert await admit(stores, concert) == 0
    await stores.lottery_opener.open(concert)
    assert await admit(stores, concert) == 3
    called = [e.number for e in await records(stores, concert, people) if e.state is EntryState.READY]
    assert sorted(number or 0 for number in called) == [1, 2, 3]
    await check_draw(stores, concert, people)


async def test_the_verifier_accepts_the_draw(stores: Stores, tmp_path: Path) -> None:
    concert = await with_lottery(stores)
    people = make_people(5)
    await register(stores, concert, people)
    await stores.lottery_opener.open(concert)
    reveal = await revealed(stores, concert)
    proofs = [proof_of(reveal, entry) for entry in await records(stores, concert, people)]
    file = tmp_path / "proofs.json"
    file.write_text(f"[{','.join(proofs)}]")
    command = [sys.executable, "-I", str(VERIFIER), str(file), "--commitment", concert.room.commitment]
    done = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.count(" drew number ")) == (0, 5), done.stdout


async def test_a_queue_without_registrations_opens(stores: Stores) -> None:
    concert = await with_lottery(stores)
    assert await stores.lottery_opener.open(concert) == "OPENED"
    await register(stores, concert, LATE)
    assert await numbers(stores, concert, LATE) == {"late": 1}
    await check_draw(stores, concert, LATE)


async def test_concurrent_openers_draw_once(valkey_url: str, mongo_url: str, mongo_database: str) -> None:
    async with (
        opened(valkey_url, mongo_url, mongo_database) as one,
        opened(valkey_url, mongo_url, mongo_database) as other,
    ):
        for _ in range(5):
            concert = await with_lottery(one)
            people = make_people(30)
            await register(one, concert, people)
            joining = [stores.queues.join(concert.id, PersonId(f"late{n}")) for n, stores in enumerate((one, other))]
            openers = [stores.lottery_opener.open(concert) for stores in (one, other) for _ in range(4)]
            answers = (await asyncio.gather(*openers, *joining))[:8]
            assert Counter(answers) == {"OPENED": 1, "OPEN": 7}
            assert await revealed(one, concert) == await revealed(other, concert)
            everyone = [*people, PersonId("late0"), PersonId("late1")]
            assert await numbers(one, concert, everyone) == await numbers(other, concert, everyone)
            await check_draw(other, concert, everyone)


STEPS = ["after read_epoch", "after freeze_queue", "after reveal", "before open_queue", "after open_queue"]


@pytest.mark.parametrize("step", STEPS)
async def test_an_opening_is_finished_after_a_crash_between_steps(
    step: str, valkey_url: str, mongo_url: str, mongo_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with (
        opened(valkey_url, mongo_url, mongo_database) as one,
        opened(valkey_url, mongo_url, mongo_database) as other,
    ):
        concert = await with_lottery(one)
        people = make_people(10)
        await register(one, concert, people)
        crash_at(one, monkeypatch, step)
        with pytest.raises(Crashed):
            await one.lottery_opener.open(concert)
        first = await other.lotteries.find_reveal(concert.id, 1)
        assert (first is not None) == (step in STEPS[2:])
        await register(other, concert, LATE)
        assert await other.lottery_opener.open(concert) == ("OPEN" if step == "after open_queue" else "OPENED")
        assert first in (None, await revealed(other, concert))
        (late,) = await records(other, concert, LATE)
        is_registered = step == "after read_epoch"
        assert late.lot == (11 if is_registered else None)
        assert is_registered or late.number == 11
        assert (await revealed(other, concert)).registrations == (11 if is_registered else 10)
        await check_draw(other, concert, [*people, *LATE])


async def test_joins_during_the_opening_are_numbered_after_all_registrations(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    concert = await with_lottery(stores)
    people = make_people(6)
    await register(stores, concert, people)
    reveal = stores.lotteries.reveal

    async def join_before_reveal(*args: Any, **kwargs: Any) -> Any:
        await register(stores, concert, LATE)
        (late,) = await records(stores, concert, LATE)
        assert (late.number, late.lot, late.state) == (7, None, EntryState.PREQUEUED)
        return await reveal(*args, **kwargs)

    monkeypatch.setattr(stores.lotteries, "reveal", join_before_reveal)
    assert await stores.lottery_opener.open(concert) == "OPENED"
    assert (await numbers(stores, concert, LATE), (await revealed(stores, concert)).registrations) == ({"late": 7}, 6)
    await check_draw(stores, concert, [*people, *LATE])


@pytest.mark.parametrize("count", [1, 7, 8, 30])
async def test_positions_skip_people_who_left_before_the_opening(stores: Stores, count: int) -> None:
    """People leave before, during and after the opening. The counts cross a byte boundary."""
    concert = await with_lottery(stores)
    people = make_people(count)
    await register(stores, concert, people)
    await leave_all(stores, concert, people[::3])
    await stores.hot_state.freeze_queue(concert.id, 1)
    await leave_all(stores, concert, people[1::5])
    await register(stores, concert, make_people(4, first=100))
    await leave_all(stores, concert, make_people(1, first=101))
    assert await stores.lottery_opener.open(concert) == "OPENED"
    everyone = [*people, *make_people(4, first=100)]
    assert (await revealed(stores, concert)).registrations == count
    await check_draw(stores, concert, everyone)
    await leave_all(stores, concert, people[2::7])
    await check_draw(stores, concert, everyone)


async def test_joining_again_before_the_opening_gives_a_new_lot(stores: Stores) -> None:
    concert = await with_lottery(stores)
    people = make_people(3)
    await register(stores, concert, people)
    await leave_all(stores, concert, people[:1])
    await register(stores, concert, people[:1])
    await stores.lottery_opener.open(concert)
    assert (await revealed(stores, concert)).registrations == 4
    assert [entry.lot for entry in await records(stores, concert, people[:1])] == [4]
    await check_draw(stores, concert, people)


async def test_a_queue_is_not_opened_before_its_time(stores: Stores) -> None:
    concert = await with_lottery(stores, opens_at=datetime.now(UTC) + timedelta(hours=1))
    await register(stores, concert, make_people(2))
    assert await stores.lottery_opener.open(concert) == "TOO_EARLY"
    assert await stores.lotteries.find_reveal(concert.id, 1) is None
    await advance_clock(stores, concert, 3_600_000)
    assert await stores.lottery_opener.open(concert) == "OPENED"


async def test_a_reset_draws_new_numbers(stores: Stores) -> None:
    concert = await with_lottery(stores)
    people = make_people(12)
    await register(stores, concert, people)
    await stores.lottery_opener.open(concert)
    first = await numbers(stores, concert, people)
    again = await rooms.reset(organizer(stores), concert.id, RoomSettingsPatch(), key())
    assert (again.room.round, again.room.commitment == concert.room.commitment) == (2, False)
    assert await stores.lottery_opener.open(concert) == "STALE"
    await register(stores, again, people)
    assert {entry.number for entry in await records(stores, again, people)} == {None}
    assert await stores.lottery_opener.open(again) == "OPENED"
    await check_draw(stores, again, people)
    assert await numbers(stores, again, people) != first
    assert await revealed(stores, concert) != await revealed(stores, again)


async def test_people_stay_prequeued_while_the_database_is_down(
    own_mongod: ServerProcess, valkey_url: str, fresh_database: str
) -> None:
    async with opened(valkey_url, own_mongod.url, fresh_database) as stores:
        concert = await with_lottery(stores)
        people = make_people(5)
        await register(stores, concert, people)
        worker = OpeningWorker()
        await stores.concert_cache.list_all()
        await own_mongod.kill()
        opening = asyncio.create_task(worker.run_once(stores))
        await register(stores, concert, LATE)
        assert {entry.state for entry in await records(stores, concert, [*people, *LATE])} == {EntryState.PREQUEUED}
        await own_mongod.start()
        if not await opening:
            await wait_until(lambda: worker.run_once(stores), what="the opening")
        assert (await revealed(stores, concert)).registrations == 6
        await check_draw(stores, concert, [*people, *LATE])


async def test_the_secret_is_not_shown_before_the_reveal(
    stores: Stores, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    concert = await with_lottery(stores)
    secret = await secret_of(stores, concert)
    await register(stores, concert, make_people(3))
    crash_at(stores, monkeypatch, "before reveal")
    with pytest.raises(Crashed):
        await stores.lottery_opener.open(concert)
    await OpeningWorker().run_once(stores)
    for name in concert_keys(concert.id):
        assert secret.encode() not in (await stores.script_client.run_command("DUMP", name) or b"")
    assert secret not in caplog.text
    assert secret not in repr(concert)


async def test_100_000_registrations_are_drawn_in_one_opening(stores: Stores) -> None:
    concert = await with_lottery(stores)
    people = make_people(3)
    await register(stores, concert, people)
    state, waiters = concert_key(concert, "state"), concert_key(concert, "waiters")
    fill = (
        "for n = 4, 100000 do redis.call('HSET', KEYS[2], n, 'p' .. n) end redis.call('HSET', KEYS[1], 'tail', 100000)"
    )
    await stores.script_client.run_command("EVAL", fill, "2", state, waiters)
    assert await stores.lottery_opener.open(concert) == "OPENED"
    drawn = draw((await revealed(stores, concert)).seed, 100_000)
    found = await records(stores, concert, people)
    assert [entry.number for entry in found] == [drawn.number_of(entry.lot or 0) for entry in found]
    assert (await stores.queues.read_queue(concert.id)).positions.waiting_count == 100_000
