"""After a store is killed, wiped or rolled back, queue entries are either kept or visibly lost."""

import asyncio
from collections.abc import Awaitable, Sequence
from pathlib import Path

import pytest

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
from tests.support.hub_recorder import open_hub, subscribe
from tests.support.lottery import check_draw, register, revealed, with_lottery
from tests.support.queue_steps import admit, join, make_people, positions, records, states, with_room
from tests.support.sale import context
from tests.support.store_copies import StoreCopy, restart, until_trusted
from tests.support.waiting import wait_until

PEOPLE = make_people(30, "p")


async def with_people(stores: Stores) -> Concert:
    """Create a queue of 30: one is admitted, one called, one connected, and three have left."""
    concert = await with_room(stores)
    await join(stores, concert, *PEOPLE)
    await admit(stores, concert)
    await stores.queues.claim(concert.id, PersonId("p1"))
    for who in ("p5", "p9", "p30"):
        await stores.queues.leave(concert.id, PersonId(who))
    await stores.queues.sync_presence(concert.id, "p", [(PersonId("p12"), 1)])
    return concert


async def read_all(stores: Stores, concert: Concert) -> tuple[QueueState, list[EntryRecord], list[QueueEntry | None]]:
    shown = [await queues.get_viewer_entry(context(stores, who), concert.id) for who in PEOPLE]
    return await stores.queues.read_queue(concert.id), await records(stores, concert, PEOPLE), shown


async def poll_entry(stores: Stores, concert: Concert, who: str) -> QueueEntry | None:
    """Read the viewer's entry, and repeat the query after each retryable error."""
    found: list[QueueEntry | None] = []

    async def answered() -> bool:
        try:
            found.append(await queues.get_viewer_entry(context(stores, who), concert.id))
        except TemporarilyUnavailable:
            return False
        return True

    await wait_until(answered, what="an answer")
    return found[0]


async def test_killed_store_keeps_entries_cursor_and_passes(own_stores: Stores, own_valkey: ServerProcess) -> None:
    concert = await with_people(own_stores)
    queue, entries, shown = await read_all(own_stores, concert)
    for _ in range(2):
        await restart(own_valkey)
        await until_trusted(own_stores, concert.id)
    queue_after, entries_after, shown_after = await read_all(own_stores, concert)
    assert queue_after.epoch == queue.epoch + 2
    same = ("positions", "round", "slots_taken", "passes_issued", "status", "is_opened")
    assert [getattr(queue_after, name) for name in same] == [getattr(queue, name) for name in same]
    assert entries_after == entries
    assert [(e and (e.position, e.queue_pass)) for e in shown_after] == [
        (e and (e.position, e.queue_pass)) for e in shown
    ]
    (again,) = await join(own_stores, concert, "p30")
    assert (again.number, await positions(own_stores, concert, "p30")) == (31, [26])
    await own_stores.queues.leave(concert.id, PersonId("p1"))
    assert await states(own_stores, concert, "p3", "p4") == ["READY", "WAITING"]


async def test_acknowledged_joins_survive_a_kill(own_stores: Stores, own_valkey: ServerProcess) -> None:
    """Each person keeps their number, and no number is assigned twice or skipped."""
    concert = await with_room(own_stores, total_active_users=1)
    answered: dict[str, int | None] = {}
    is_busy = asyncio.Event()

    async def join_one_by_one(people: Sequence[PersonId]) -> None:
        for who in people:
            try:
                answered[who] = (await own_stores.queues.join(concert.id, who)).record.number
            except TemporarilyUnavailable:
                await until_trusted(own_stores, concert.id)
            if len(answered) == 30:
                is_busy.set()

    async def restart_under_load() -> None:
        await is_busy.wait()
        await restart(own_valkey)

    groups = [make_people(60, name) for name in "abcdef"]
    await asyncio.gather(*[join_one_by_one(people) for people in groups], restart_under_load())
    await until_trusted(own_stores, concert.id)
    found = await own_stores.queues.read_entries(concert.id, [who for people in groups for who in people])
    assert {who: found[PersonId(who)].number for who in answered} == answered
    numbers = sorted(record.number or 0 for record in found.values())
    assert numbers == list(range(1, (await own_stores.queues.read_queue(concert.id)).positions.tail + 1))
    assert len(answered) > 60


async def check_loss_is_shown(
    stores: Stores, own_valkey: ServerProcess, concert: Concert, break_store: Awaitable[object], *, lost: str
) -> None:
    """Check that a subscriber and a polling client see the loss, and that the person can rejoin."""
    async with open_hub(stores, own_valkey.url) as (hub, _):
        seen = await subscribe(hub, QueueTopic(concert.id, PersonId(lost)))
        before = seen.queue().room.epoch
        await break_store
        assert await poll_entry(stores, concert, lost) is None
        await wait_until(lambda: seen.queue().room.epoch > before and seen.queue().entry is None, what="the new epoch")
        assert seen.versions() == sorted(seen.versions())
        with pytest.raises(NotInQueue):
            await stores.queues.heartbeat(concert.id, PersonId(lost))
        (again,) = await join(stores, concert, lost)
        await wait_until(
            lambda: seen.queue().entry is not None and seen.entry().number == again.number, what="the new entry"
        )


async def test_people_learn_of_a_lost_entry_after_a_wipe_and_can_rejoin(
    own_stores: Stores, own_valkey: ServerProcess
) -> None:
    concert = await with_people(own_stores)
    await check_loss_is_shown(
        own_stores, own_valkey, concert, own_stores.script_client.run_command("FLUSHALL"), lost="p12"
    )
    assert (await own_stores.queues.read_entries(concert.id, [PersonId("p12")]))[PersonId("p12")].number == 1
    assert await poll_entry(own_stores, concert, "p7") is None


async def test_people_learn_of_a_lost_entry_after_a_rollback_and_can_rejoin(
    own_stores: Stores, own_valkey: ServerProcess, tmp_path: Path
) -> None:
    concert = await with_people(own_stores)
    copy = StoreCopy(own_valkey, tmp_path / "copy")
    await copy.take()
    await until_trusted(own_stores, concert.id)
    before = await records(own_stores, concert, PEOPLE)
    await join(own_stores, concert, "late1", "late2")
    await own_stores.queues.leave(concert.id, PersonId("p12"))
    await check_loss_is_shown(own_stores, own_valkey, concert, copy.put_back(), lost="late2")
    assert await records(own_stores, concert, PEOPLE) == before
    assert (await own_stores.queues.read_queue(concert.id)).positions.tail == 31
    assert await poll_entry(own_stores, concert, "late1") is None


@pytest.mark.parametrize("step", ["before the freeze", "after the freeze", "after the reveal", "after the opening"])
async def test_lottery_is_drawn_once_even_if_the_store_is_killed(
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
    await until_trusted(own_stores, concert.id)
    is_open = (await own_stores.queues.read_queue(concert.id)).is_opened
    assert is_open == (step in ("after the reveal", "after the opening"))
    late = PersonId("late")
    await own_stores.queues.join(concert.id, late)
    assert await own_stores.lottery_opener.open(concert) == ("OPEN" if is_open else "OPENED")
    # A person who joins at the opening time or later is always behind those in the draw.
    assert (await revealed(own_stores, concert)).registrations == 25
    everyone = [*people, late]
    await check_draw(own_stores, concert, everyone)
    after = await own_stores.queues.read_entries(concert.id, everyone)
    assert [after[who].lot for who in people] == [before[who].lot for who in people]
    assert after[late].number == 26
    assert sum(record.state is EntryState.WAITING for record in after.values()) == 25
