"""Documents in GridFS: stored once, completely or not at all, and removed when they are
orphaned.
"""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
import pytest_asyncio
from motor.motor_asyncio import AsyncIOMotorGridFSBucket
from pymongo.read_concern import ReadConcern

from domain.errors import TemporarilyUnavailable
from domain.ids import ConcertId, OrderId
from domain.tickets.documents import DocumentId, DocumentOwner, TicketDocument
from storage.embedded.process import ServerProcess
from storage.mongo.client import Database, connect, database
from storage.mongo.files.gridfs_files import PART_BYTES
from storage.mongo.tickets.document_store import NAME, DocumentStore

pytestmark = pytest.mark.asyncio

ENTRIES, PARTS = f"{NAME}.files", f"{NAME}.chunks"
OWNER = DocumentOwner(ConcertId("abcdefghjkmn"), OrderId("0" * 32))


@pytest_asyncio.fixture
async def mongo(mongo_url: str, fresh_database: str) -> AsyncIterator[Database]:
    client = connect(mongo_url)
    # Only the primary acknowledges writes of documents, so only the primary is sure to have them.
    yield database(client, fresh_database).with_options(read_concern=ReadConcern("local"))
    client.close()


@pytest_asyncio.fixture
async def store(mongo: Database) -> DocumentStore:
    made = DocumentStore(mongo)
    await made.create_indexes()
    return made


def document(name: str, pdf: bytes = b"%PDF-1.7") -> TicketDocument:
    return TicketDocument(DocumentId(name), OWNER, pdf)


async def ids(store: DocumentStore) -> list[str]:
    return [entry.id for entry in await store.list_after(None, limit=100)]


async def count_parts(mongo: Database) -> int:
    return int(await mongo[PARTS].count_documents({}))


@pytest.mark.parametrize("size", [1, PART_BYTES, 2 * PART_BYTES + 1])
async def test_document_is_read_as_it_was_stored(store: DocumentStore, size: int) -> None:
    pdf = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
    await store.write(document("a", pdf))

    assert await store.read(DocumentId("a")) == pdf
    assert await store.read(DocumentId("b")) is None
    (entry,) = await store.list_after(None, limit=10)
    assert (entry.id, entry.owner) == ("a", OWNER)


async def test_document_can_be_read_with_any_gridfs_driver(store: DocumentStore, mongo: Database) -> None:
    await store.write(document("a"))
    stream = await AsyncIOMotorGridFSBucket(mongo, bucket_name=NAME).open_download_stream("a")

    assert (await stream.read(), stream.filename) == (b"%PDF-1.7", "a.pdf")


async def test_many_writers_of_one_document_store_it_once(store: DocumentStore, mongo: Database) -> None:
    await asyncio.gather(*[store.write(document("a")) for _ in range(50)])

    assert (await ids(store), await count_parts(mongo)) == (["a"], 1)
    assert await store.read(DocumentId("a")) == b"%PDF-1.7"


async def test_writer_that_died_halfway_does_not_stop_other_writers(store: DocumentStore, mongo: Database) -> None:
    await store.write(document("a"))
    await mongo[ENTRIES].delete_one({"_id": "a"})
    assert await store.read(DocumentId("a")) is None

    await store.write(document("a", b"%PDF-1.8"))

    assert await store.read(DocumentId("a")) == b"%PDF-1.8"
    assert await count_parts(mongo) == 1


async def test_document_whose_parts_do_not_match_is_not_read(store: DocumentStore, mongo: Database) -> None:
    await store.write(document("a", b"one version"))
    await mongo[PARTS].update_one({"files_id": "a"}, {"$set": {"data": b"two version"}})
    assert await store.read(DocumentId("a")) is None
    await mongo[PARTS].delete_one({"files_id": "a"})
    assert await store.read(DocumentId("a")) is None

    await store.write(document("a", b"one version"))
    assert await store.read(DocumentId("a")) == b"one version"


async def test_documents_are_listed_in_pages_and_removed_with_their_parts(
    store: DocumentStore, mongo: Database
) -> None:
    for name in "cab":
        await store.write(document(name))
    first = await store.list_after(None, limit=2)
    rest = await store.list_after(first[-1].id, limit=2)
    assert ([entry.id for entry in first], [entry.id for entry in rest]) == (["a", "b"], ["c"])

    await store.remove([DocumentId("a"), DocumentId("c"), DocumentId("unknown")])
    assert (await ids(store), await count_parts(mongo)) == (["b"], 1)


async def test_only_old_parts_without_a_document_are_removed(store: DocumentStore, mongo: Database) -> None:
    for name in ("a", "b", "c"):
        await store.write(document(name))
    await mongo[ENTRIES].delete_many({"_id": {"$in": ["a", "b"]}})
    now = datetime.now(UTC)
    await mongo[PARTS].update_one({"files_id": "b"}, {"$set": {"storedAt": now - timedelta(hours=2)}})
    an_hour_ago = now - timedelta(hours=1)

    assert await store.remove_lost_parts(None, stored_before=an_hour_ago, limit=2) == ("b:0", 1)
    assert await store.remove_lost_parts("b:0", stored_before=an_hour_ago, limit=2) == (None, 0)
    assert await count_parts(mongo) == 2


async def test_store_that_does_not_answer_counts_as_unavailable(
    own_mongod: ServerProcess,
) -> None:
    client = connect(own_mongod.url)
    store = DocumentStore(database(client, "onsale"))
    await store.write(document("a"))
    await own_mongod.kill()

    with pytest.raises(TemporarilyUnavailable):
        await store.read(DocumentId("a"))
    with pytest.raises(TemporarilyUnavailable):
        await store.write(document("b"))
    client.close()
