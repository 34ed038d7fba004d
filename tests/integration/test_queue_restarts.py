"""A store that dies under a line: killed, wiped, put back to an older copy. Who stood in it still does, or is told."""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio

from domain.concerts import Concert
from domain.errors import NotInQueue, TemporarilyUnavailable
from domain.ids import PersonId
from domain.queues import EntryState, QueueEntry
from domain.topics import QueueTopic
from resolvers import queues
from storage.connect import Stores
from storage.embedded.process import ServerProcess
from storage.hot.queue_state import QueueState
from storage.hot.queues import EntryRecord
from tests.integration.test_storage_recovery import Copy, until_trusted
from tests.integration.test_storage_rooms import ROOM, admit, join, positions, records, states
from tests.support.hub_recorder import open_hub, subscribe
from tests.support.lottery import check_draw, make_people, register, revealed, with_lottery
from tests.support.sale import context, on_sale, opened
from tests.support.waiting import wait_until

PEOPLE = [f"p{number}" for number in range(1, 31)]


@pytest_asyncio.fixture
async def own_stores(own_valkey: ServerProcess, mongo_url: str, mongo_database: str) -> AsyncIterator[Stores]:
    async with opened(own_valkey.url, mongo_url, mongo_database) as stores:
        yield stores


async def with_line(stores: Stores) -> Concert:
    """30 people: one admitted, one ready, three gone, and one with a socket."""
    concert = await on_sale(stores, 10, room=replace(ROOM, total_active_users=2))
    await join(stores, concert, *PEOPLE)
    await admit(stores, concert)
    await stores.queues.claim(concert.id, PersonId("p1"))
    for who in ("p5", "p9", "p30"):
        await stores.queues.leave(concert.id, PersonId(who))
    await stores.queues.sync_presence(concert.id, "p", [(PersonId("p12"), 1)])
    return concert


async def seen(stores: Stores, concert: Concert) -> tuple[QueueState, list[EntryRecord], list[QueueEntry | None]]:
    shown = [await queues.get_viewer_entry(context(stores, who), concert.id) for who in PEOPLE]
    return await stores.queues.read_queue(concert.id), await records(stores, concert, PEOPLE), shown


async def restart(child: ServerProcess) -> None:
    await child.kill()
    await child.start()


async def patiently(stores: Stores, concert: Concert, who: str) -> QueueEntry | None:
    """As a polling client: what is retryable is asked again."""
    found: list[QueueEntry | None] = []

    async def answered() -> bool:
        try:
            found.append(await queues.get_viewer_entry(context(stores, who), concert.id))
        except TemporarilyUnavailable:
            return False
        return True

    await wait_until(answered, timeout=10, what="an answer")
    return found[0]


async def test_a_killed_store_keeps_places_cursor_passes_and_bits(
    own_stores: Stores, own_valkey: ServerProcess
) -> None:
    concert = await with_line(own_stores)
    line, entries, shown = await seen(own_stores, concert)
    for _ in range(2):
        await restart(own_valkey)
        await until_trusted(own_stores, concert)
    line_after, entries_after, shown_after = await seen(own_stores, concert)
    assert line_after.epoch == line.epoch + 2
    same = ("positions", "round", "slots_taken", "passes_issued", "status", "is_opened")
    assert [getattr(line_after, name) for name in same] == [getattr(line, name) for name in same]
    assert entries_after == entries
    assert [(e and (e.position, e.queue_pass)) for e in shown_after] == [
        (e and (e.position, e.queue_pass)) for e in shown
    ]
    (again,) = await join(own_stores, concert, "p30")
    assert (again.number, await positions(own_stores, concert, "p30")) == (31, [26])
    await own_stores.queues.leave(concert.id, PersonId("p1"))
    assert await states(own_stores, concert, "p3", "p4") == ["READY", "WAITING"]


async def test_joins_under_a_kill_are_kept_if_they_were_answered(own_stores: Stores, own_valkey: ServerProcess) -> None:
    """Whoever was answered has that very number, and no number is given twice or left out."""
    concert = await on_sale(own_stores, 10, room=replace(ROOM, total_active_users=1))
    answered: dict[str, int | None] = {}

    async def joining(name: str) -> None:
        for number in range(60):
            who = f"{name}{number}"
            try:
                answered[who] = (await own_stores.queues.join(concert.id, PersonId(who))).record.number
            except TemporarilyUnavailable:
                await asyncio.sleep(0.02)

    async def kill() -> None:
        await asyncio.sleep(0.03)
        await restart(own_valkey)

    await asyncio.gather(*[joining(name) for name in "abcdef"], kill())
    await until_trusted(own_stores, concert)
    everybody = [PersonId(f"{name}{number}") for name in "abcdef" for number in range(60)]
    found = await own_stores.queues.read_entries(concert.id, everybody)
    assert {who: found[PersonId(who)].number for who in answered} == answered
    numbers = sorted(record.number or 0 for record in found.values())
    assert numbers == list(range(1, (await own_stores.queues.read_queue(concert.id)).positions.tail + 1))
    assert len(answered) > 60


async def told_after(
    stores: Stores, own_valkey: ServerProcess, concert: Concert, break_store: Awaitable[object], *, lost: str
) -> None:
    """Who watches and who polls both hear that `lost` has no place any more, under a new epoch, and may rejoin."""
    async with open_hub(stores, own_valkey.url) as (hub, _):
        seen_by = await subscribe(hub, QueueTopic(concert.id, PersonId(lost)))
        before = seen_by.line().room.epoch
        await break_store
        assert await patiently(stores, concert, lost) is None
        await wait_until(
            lambda: seen_by.line().room.epoch > before and seen_by.line().entry is None, what="the new epoch"
        )
        assert seen_by.versions() == sorted(seen_by.versions())
        with pytest.raises(NotInQueue):
            await stores.queues.heartbeat(concert.id, PersonId(lost))
        (again,) = await join(stores, concert, lost)
        await wait_until(
            lambda: seen_by.line().entry is not None and seen_by.entry().number == again.number, what="the new place"
        )


async def test_a_wiped_store_is_told_of_and_joined_again(own_stores: Stores, own_valkey: ServerProcess) -> None:
    concert = await with_line(own_stores)
    await told_after(own_stores, own_valkey, concert, own_stores.script_client.run_command("FLUSHALL"), lost="p12")
    assert (await own_stores.queues.read_entries(concert.id, [PersonId("p12")]))[PersonId("p12")].number == 1
    assert await patiently(own_stores, concert, "p7") is None


async def test_an_older_store_is_told_of_and_joined_again(
    own_stores: Stores, own_valkey: ServerProcess, tmp_path: Path
) -> None:
    concert = await with_line(own_stores)
    copy = Copy(own_valkey, tmp_path / "copy")
    await copy.take()
    await until_trusted(own_stores, concert)
    before = await records(own_stores, concert, PEOPLE)
    await join(own_stores, concert, "late1", "late2")
    await own_stores.queues.leave(concert.id, PersonId("p12"))
    await told_after(own_stores, own_valkey, concert, copy.put_back(), lost="late2")
    assert await records(own_stores, concert, PEOPLE) == before
    assert (await own_stores.queues.read_queue(concert.id)).positions.tail == 31
    assert await patiently(own_stores, concert, "late1") is None


@pytest.mark.parametrize("step", ["before the freeze", "after the freeze", "after the reveal", "after the opening"])
async def test_a_store_killed_in_an_opening_draws_one_order(
    own_stores: Stores, own_valkey: ServerProcess, step: str
) -> None:
    concert = await with_lottery(own_stores)
    people = make_people(25)
    await register(own_stores, concert, people)
    await own_stores.queues.leave(concert.id, people[3])
    before = await own_stores.queues.read_entries(concert.id, people)
    lotteries = own_stores.lotteries
    if step in ("after the freeze", "after the reveal"):
        fence = await lotteries.read_epoch(concert.id, 1)
        frozen = await own_stores.hot_state.freeze_queue(concert.id, 1)
        if step == "after the reveal":
            await lotteries.reveal(concert.id, 1, registrations=frozen.registrations, digest=frozen.digest, epoch=fence)
    elif step == "after the opening":
        await own_stores.lottery_opener.open(concert)
    await restart(own_valkey)
    await until_trusted(own_stores, concert)
    is_open = (await own_stores.queues.read_queue(concert.id)).is_opened
    assert is_open == (step in ("after the reveal", "after the opening"))
    late = PersonId("late")
    await own_stores.queues.join(concert.id, late)
    assert await own_stores.lottery_opener.open(concert) == ("OPEN" if is_open else "OPENED")
    # Who comes when it is time to open, or later, stands behind the draw, whatever happened in between.
    assert (await revealed(own_stores, concert)).registrations == 25
    everybody = [*people, late]
    await check_draw(own_stores, concert, everybody)
    after = await own_stores.queues.read_entries(concert.id, everybody)
    assert [after[who].lot for who in people] == [before[who].lot for who in people]
    assert after[late].number == 26
    assert sum(record.state is EntryState.WAITING for record in after.values()) == 25
