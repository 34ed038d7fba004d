"""Revocations in a real MongoDB: written once, and read so that no late commit is missed."""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta

import pytest
import pytest_asyncio
from bson import Timestamp

from domain.errors import TemporarilyUnavailable
from domain.identity.revocations import REVOCATION_LASTS_S, AlreadyRevoked, Revocation
from domain.ids import PersonId
from storage.mongo import revocations as module
from storage.mongo.client import Client, Database, connect, database
from storage.mongo.revocations import OVERLAP_S, RevocationStore
from tests.support.mongo_failures import failing


@pytest_asyncio.fixture
async def client(mongo_url: str) -> AsyncIterator[Client]:
    made = connect(mongo_url)
    yield made
    made.close()


@pytest.fixture
def mongo(client: Client, fresh_database: str) -> Database:
    return database(client, fresh_database)


@pytest_asyncio.fixture
async def store(mongo: Database) -> RevocationStore:
    made = RevocationStore(mongo)
    assert not await made.has_indexes()
    await made.create_indexes()
    assert await made.has_indexes()
    return made


async def read(store: RevocationStore, since: int | None = None) -> tuple[list[str], int]:
    """Return the ids that a read finds, and the start of the next read."""
    pages = [page async for page in store.read_pages(since)]
    assert pages[0].read_through is not None
    return [one.id for page in pages for one in page.revocations], pages[0].read_through


async def test_revocation_is_read_as_it_was_written(store: RevocationStore) -> None:
    await store.insert(Revocation("j1", session_id="s1"))
    await store.insert(Revocation("j2", person_id=PersonId("p"), issued_before_s=12.5))
    (page,) = [page async for page in store.read_pages(None)]
    first, second = page.revocations
    assert page.read_through is not None
    assert first == Revocation("j1", session_id="s1", recorded_at_s=first.recorded_at_s)
    assert second == Revocation("j2", person_id=PersonId("p"), issued_before_s=12.5, recorded_at_s=second.recorded_at_s)
    assert 0 < first.recorded_at_s <= second.recorded_at_s


async def test_second_insert_of_an_id_writes_nothing(store: RevocationStore, mongo: Database) -> None:
    await store.insert(Revocation("j1", session_id="s1"))
    with pytest.raises(AlreadyRevoked):
        await store.insert(Revocation("j1", session_id="s2"))
    assert [found["sid"] async for found in mongo["revocations"].find()] == ["s1"]


async def test_write_that_commits_late_is_found_by_the_next_read(store: RevocationStore, mongo: Database) -> None:
    await store.insert(Revocation("early", session_id="s1"))
    found, read_through = await read(store)
    assert found == ["early"]
    late = {"sid": "s2", "sub": None, "issuedBefore": 0.0, "expiresAt": datetime.now(UTC) + timedelta(days=1)}
    seconds = read_through >> 32
    await mongo["revocations"].insert_one({"_id": "late", "ts": Timestamp(seconds - OVERLAP_S, 1), **late})
    await mongo["revocations"].insert_one({"_id": "too late", "ts": Timestamp(seconds - OVERLAP_S - 1, 1), **late})
    found, _ = await read(store, read_through)
    assert "late" in found
    assert "too late" not in found


async def test_pages_are_read_in_order_without_gaps(store: RevocationStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PAGE_SIZE", 2)
    ids = [f"j{number}" for number in range(5)]
    for id_ in ids:
        await store.insert(Revocation(id_, session_id=id_))
    assert [len(page.revocations) async for page in store.read_pages(None)] == [2, 2, 1]
    assert (await read(store))[0] == ids


async def test_read_through_advances_without_revocations(store: RevocationStore, mongo: Database) -> None:
    _, first = await read(store)
    await mongo["other"].insert_one({})
    _, second = await read(store, first)
    assert second > first


async def test_read_uses_the_index(store: RevocationStore, mongo: Database) -> None:
    query = mongo["revocations"].find({"ts": {"$gte": Timestamp(1, 0)}}).sort([("ts", 1), ("_id", 1)])
    plan = (await query.explain())["queryPlanner"]["winningPlan"]
    assert plan["inputStage"]["stage"] == "IXSCAN"


async def test_database_removes_a_revocation_after_it_expires(store: RevocationStore, mongo: Database) -> None:
    await store.insert(Revocation("j1", session_id="s1"))
    (found,) = [found async for found in mongo["revocations"].find()]
    assert found["expiresAt"] > datetime.now(UTC) + timedelta(seconds=REVOCATION_LASTS_S)
    indexes = await mongo["revocations"].index_information()
    assert indexes["expiry"]["expireAfterSeconds"] == 0


@pytest.mark.parametrize("command", ["insert", "find"])
async def test_database_failure_raises_unavailable(store: RevocationStore, mongo_url: str, command: str) -> None:
    calls: dict[str, Callable[[], Awaitable[object]]] = {
        "insert": lambda: store.insert(Revocation("j1", session_id="s1")),
        "find": lambda: read(store),
    }
    async with failing(mongo_url, 2, commands=(command,), errorCode=189):
        with pytest.raises(TemporarilyUnavailable):
            await calls[command]()


async def test_write_without_a_majority_is_not_acknowledged(store: RevocationStore, mongo_url: str) -> None:
    error = {"code": 64, "codeName": "WriteConcernFailed", "errmsg": "waiting for replication timed out"}
    async with failing(mongo_url, 1, writeConcernError=error):
        with pytest.raises(TemporarilyUnavailable):
            await store.insert(Revocation("j1", session_id="s1"))
