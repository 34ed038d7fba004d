"""The index of a person's concerts is written by joins and holds, pruned when read, and rebuilt by
recovery.
"""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import pytest_asyncio

from domain.concerts import Concert, ConcertChange, ConcertStatus
from domain.errors import NotFound, TemporarilyUnavailable
from domain.ids import ConcertId, PersonId
from resolvers import concerts, holds, queues
from storage.connect import Stores
from storage.embedded.process import ServerProcess
from storage.hot import person_concerts
from storage.hot.hot_state import keys_expire_at
from storage.hot.person_concerts import MAX_CONCERTS
from storage.keys import person_concerts_key
from tests.support.queue_steps import with_room
from tests.support.sale import buy, context, draft, hold, key, lines, on_sale, opened, organizer, stock
from tests.support.script_calls import recorded_calls
from tests.support.stores import start_cluster
from tests.support.waiting import wait_until

ANN = PersonId("ann")
NEXT_YEAR = datetime.now(UTC) + timedelta(days=365)


@pytest_asyncio.fixture
async def own_cluster(tmp_path: Path) -> AsyncIterator[ServerProcess]:
    child = await start_cluster(tmp_path / "cluster")
    yield child
    await child.kill()


async def test_join_and_hold_add_the_concert_to_the_index(any_stores: Stores) -> None:
    queued, sold = await with_room(any_stores, 5), await on_sale(any_stores, 5)
    await queues.join_queue(context(any_stores, ANN), queued.id)
    await hold(any_stores, sold, 1, who=ANN)
    assert set(await any_stores.person_concerts.list(ANN)) == {queued.id, sold.id}


async def test_concert_leaves_the_index_when_its_keys_expire(any_stores: Stores) -> None:
    soon = datetime.now(UTC) + timedelta(seconds=1)
    await any_stores.person_concerts.add(ANN, ConcertId("over"), expires_at=soon)
    await any_stores.person_concerts.add(ANN, ConcertId("kept"), expires_at=NEXT_YEAR)

    async def is_pruned() -> bool:
        return await any_stores.person_concerts.list(ANN) == ("kept",)

    await wait_until(is_pruned, what="the expiry")
    assert await any_stores.script_client.run_command("ZCARD", person_concerts_key(ANN)) == 1


async def test_index_keeps_the_200_concerts_that_expire_last(any_stores: Stores) -> None:
    for number in range(MAX_CONCERTS + 50):
        expires_at = NEXT_YEAR + timedelta(days=number)
        await any_stores.person_concerts.add(ANN, ConcertId(f"c{number}"), expires_at=expires_at)
    expected = tuple(f"c{number}" for number in reversed(range(50, MAX_CONCERTS + 50)))
    assert await any_stores.person_concerts.list(ANN) == expected


async def test_full_index_keeps_the_concert_just_added(any_stores: Stores) -> None:
    """The new concert may expire before all others, as it may be the next one to take place."""
    for number in range(MAX_CONCERTS):
        expires_at = NEXT_YEAR + timedelta(days=number)
        await any_stores.person_concerts.add(ANN, ConcertId(f"c{number}"), expires_at=expires_at)
    for name in ("sooner", "soonest"):
        soon = datetime.now(UTC) + timedelta(days=5 if name == "sooner" else 1)
        await any_stores.person_concerts.add(ANN, ConcertId(name), expires_at=soon)
        kept = await any_stores.person_concerts.list(ANN)
        assert (len(kept), kept[-1]) == (MAX_CONCERTS, name)


async def test_adding_a_concert_again_never_shortens_its_expiry(any_stores: Stores) -> None:
    await any_stores.person_concerts.add(ANN, ConcertId("one"), expires_at=NEXT_YEAR)
    await any_stores.person_concerts.add(ANN, ConcertId("one"), expires_at=datetime.now(UTC) + timedelta(seconds=5))
    kept = await any_stores.script_client.run_command("ZSCORE", person_concerts_key(ANN), "one")
    assert float(kept) == int(NEXT_YEAR.timestamp() * 1000)


async def test_join_is_refused_while_the_index_cannot_be_written(
    own_cluster: ServerProcess, mongo_url: str, mongo_database: str
) -> None:
    """No server owns the slot of the person's keys, but the concert's keys are available."""
    async with opened(own_cluster.url, mongo_url, mongo_database) as stores:
        concert = await with_room(stores, 5)
        run = stores.script_client.run_command
        slot = await run("CLUSTER", "KEYSLOT", person_concerts_key(ANN))
        await run("CONFIG", "SET", "cluster-require-full-coverage", "no")
        await run("CLUSTER", "DELSLOTS", str(slot))
        with pytest.raises(TemporarilyUnavailable):
            await queues.join_queue(context(stores, ANN), concert.id)
        with pytest.raises(TemporarilyUnavailable):
            await queues.list_viewer_entries(context(stores, ANN))
        # The entry remains until its deadline, and the repeated request finds it.
        assert await stores.queues.read_position(concert.id, ANN) is not None
        await run("CLUSTER", "ADDSLOTS", str(slot))
        assert (await queues.join_queue(context(stores, ANN), concert.id)).position == 1
        assert len(await queues.list_viewer_entries(context(stores, ANN))) == 1


async def test_hold_is_refused_while_the_index_cannot_be_written(
    own_cluster: ServerProcess, mongo_url: str, mongo_database: str
) -> None:
    async with opened(own_cluster.url, mongo_url, mongo_database) as stores:
        concert = await on_sale(stores, 5)
        run = stores.script_client.run_command
        slot = await run("CLUSTER", "KEYSLOT", person_concerts_key(ANN))
        await run("CONFIG", "SET", "cluster-require-full-coverage", "no")
        await run("CLUSTER", "DELSLOTS", str(slot))
        idempotency_key = key()
        with pytest.raises(TemporarilyUnavailable):
            await holds.hold_tickets(context(stores, ANN), concert.id, lines(concert, 2), idempotency_key)
        # The hold remains until its deadline, and the repeated request finds it.
        assert await stock(stores, concert) == [(3, 2, 0)]
        await run("CLUSTER", "ADDSLOTS", str(slot))
        await holds.hold_tickets(context(stores, ANN), concert.id, lines(concert, 2), idempotency_key)
        assert await stock(stores, concert) == [(3, 2, 0)]
        assert len(await holds.list_viewer_holds(context(stores, ANN))) == 1


async def test_recovery_adds_concerts_to_the_indexes_of_order_owners(stores: Stores) -> None:
    concert = await on_sale(stores, 5)
    await buy(stores, await hold(stores, concert, 1, who=ANN))
    await stores.script_client.run_command("FLUSHALL")
    assert await stores.person_concerts.list(ANN) == ()
    assert await stores.recovery.recover(concert.id)
    assert await stores.person_concerts.list(ANN) == (concert.id,)


async def test_order_sync_adds_the_concert_to_the_order_owners_index(stores: Stores) -> None:
    concert = await on_sale(stores, 5)
    order = await buy(stores, await hold(stores, concert, 1, who=ANN))
    await stores.script_client.run_command("DEL", person_concerts_key(ANN))
    await stores.order_sync.sync(order)
    assert await stores.person_concerts.list(ANN) == (concert.id,)


@pytest.mark.parametrize("is_known", [True, False], ids=["draft", "missing"])
async def test_concert_published_by_another_process_is_added_to_the_index(
    stores: Stores, valkey_url: str, mongo_url: str, mongo_database: str, is_known: bool
) -> None:
    """This process has cached the concert as a draft, or has not cached it at all."""
    async with opened(valkey_url, mongo_url, mongo_database) as other:
        made = await concerts.create_concert(organizer(other), draft(5))
        if is_known:
            assert await stores.concert_cache.get(made.id) is not None
        else:
            assert await stores.concert_cache.get(ConcertId("nosuchconcer")) is None
        published = await concerts.publish_concert(organizer(other), made.id)
        await hold(stores, published, 1, who=ANN)
    assert await stores.person_concerts.list(ANN) == (made.id,)


async def test_hold_adds_a_concert_that_is_still_cached_as_a_draft(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    concert = await on_sale(stores, 5)
    as_draft = replace(concert, status=ConcertStatus.DRAFT)

    async def read_before_publication(_: ConcertId) -> Concert:
        return as_draft

    monkeypatch.setattr(stores.concert_cache, "find_listed", lambda _: as_draft)
    monkeypatch.setattr(stores.concert_cache, "get", read_before_publication)
    await hold(stores, concert, 1, who=ANN)
    assert await stores.person_concerts.list(ANN) == (concert.id,)


async def test_unwritable_index_does_not_stop_recovery_or_order_sync(
    own_cluster: ServerProcess, mongo_url: str, mongo_database: str
) -> None:
    async with opened(own_cluster.url, mongo_url, mongo_database) as stores:
        concert = await on_sale(stores, 5)
        order = await buy(stores, await hold(stores, concert, 1, who=ANN))
        run = stores.script_client.run_command
        slot = await run("CLUSTER", "KEYSLOT", person_concerts_key(ANN))
        await run("FLUSHALL")
        await run("CONFIG", "SET", "cluster-require-full-coverage", "no")
        await run("CLUSTER", "DELSLOTS", str(slot))
        assert await stores.recovery.recover(concert.id)
        assert await stores.order_sync.sync(order)
        assert await stock(stores, concert) == [(4, 0, 1)]


async def test_index_is_written_once_for_several_holds(stores: Stores) -> None:
    first, second = await on_sale(stores, 5), await on_sale(stores, 5)
    with recorded_calls(stores) as calls:
        for concert in (first, first, first, second):
            await hold(stores, concert, 1, who=ANN)
        await hold(stores, second, 1, who=PersonId("ben"))
    assert calls.count("hold_tickets") == 5
    assert calls.count("add_person_concert") == 3
    assert set(await stores.person_concerts.list(ANN)) == {first.id, second.id}


async def test_hold_after_a_recovery_writes_the_lost_index_again(stores: Stores) -> None:
    concert = await on_sale(stores, 5)
    for _ in range(2):
        await hold(stores, concert, 1, who=ANN)
    await stores.script_client.run_command("FLUSHALL")
    assert await stores.recovery.recover(concert.id)
    await hold(stores, concert, 1, who=ANN)
    assert await stores.person_concerts.list(ANN) == (concert.id,)


async def test_hold_writes_the_index_again_after_ten_minutes(stores: Stores, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(person_concerts, "KNOWN_FOR_S", -1.0)
    concert = await on_sale(stores, 5)
    with recorded_calls(stores) as calls:
        for _ in range(2):
            await hold(stores, concert, 1, who=ANN)
    assert calls.count("add_person_concert") == 2


async def test_rescheduled_concert_keeps_its_place_in_the_index_longer(stores: Stores) -> None:
    concert = await on_sale(stores, 5)
    await hold(stores, concert, 1, who=ANN)
    later = ConcertChange(starts_at=concert.terms.starts_at + timedelta(days=90))
    changed = await concerts.update_concert(organizer(stores), concert.id, later, expected_version=None)
    await hold(stores, changed, 1, who=ANN)
    expire_at_ms = await stores.script_client.run_command("ZSCORE", person_concerts_key(ANN), concert.id)
    assert float(expire_at_ms) == int(keys_expire_at(changed).timestamp() * 1000)


async def test_unknown_concert_is_not_added_to_the_index(stores: Stores) -> None:
    with pytest.raises(NotFound):
        await queues.join_queue(context(stores, ANN), ConcertId("nosuchconcer"))
    assert await stores.person_concerts.list(ANN) == ()
