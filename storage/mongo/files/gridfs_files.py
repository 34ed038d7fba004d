"""Files in a GridFS bucket, under ids that are hashes of what they contain or show.

GridFS's own upload would remove the parts of a file that another process is storing under the same
id; here, storing a file twice changes nothing. A part without its file was left by a process that
died, and is removed later.
"""

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from gridfs.errors import CorruptGridFile, NoFile
from motor.motor_asyncio import AsyncIOMotorGridFSBucket
from pymongo import ASCENDING, ReplaceOne
from pymongo.read_concern import ReadConcern
from pymongo.write_concern import WriteConcern

from storage.mongo.client import ANSWER_WITHIN_MS, Database, Document

PART_BYTES = 4 * 1024 * 1024
"""Tickets have about 30 KB and images about 100 KB, so nearly every file is one part."""


@dataclass(frozen=True, slots=True)
class StoredFile:
    id: str
    name: str
    metadata: Document
    content: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class FileEntry:
    id: str
    metadata: Document
    stored_at: datetime


class GridFsFiles:
    def __init__(self, database: Database, bucket: str, *, are_reproducible: bool) -> None:
        """Open a bucket. Files that can be made again are acknowledged only by the primary."""
        if are_reproducible:
            database = database.with_options(
                read_concern=ReadConcern("local"), write_concern=WriteConcern(1, wtimeout=ANSWER_WITHIN_MS)
            )
        self._bucket = AsyncIOMotorGridFSBucket(database, bucket_name=bucket)
        self._entries = database[f"{bucket}.files"]
        self._parts = database[f"{bucket}.chunks"]

    async def create_indexes(self) -> None:
        # GridFS reads the parts of a file through this index.
        await self._parts.create_index([("files_id", ASCENDING), ("n", ASCENDING)], unique=True)

    async def read(self, file_id: str) -> bytes | None:
        """Return a file, or None if it is not stored completely."""
        try:
            stream = await self._bucket.open_download_stream(file_id)
            content: bytes = await stream.read()
        except (NoFile, CorruptGridFile):
            return None
        return content if _digest(content) == stream.metadata["sha256"] else None

    async def write(self, files: Sequence[StoredFile]) -> None:
        """Store files. Their parts are stored before the entries that make them readable."""
        now = datetime.now(UTC)
        await self._parts.bulk_write([part for file in files for part in _replace_parts(file, now)])
        await self._entries.bulk_write([_replace_entry(file, now) for file in files])

    async def list_after(self, file_id: str | None, *, limit: int) -> tuple[FileEntry, ...]:
        """Return the next files in the order of their ids."""
        found = self._entries.find(_after(file_id)).sort("_id", ASCENDING).limit(limit)
        return tuple([FileEntry(entry["_id"], entry["metadata"], entry["uploadDate"]) async for entry in found])

    async def remove(self, file_ids: Collection[str], *, stored_before: datetime | None = None) -> None:
        """Remove files, except those that were stored again at `stored_before` or later. The
        entries go first, so no file becomes incomplete.
        """
        older: Document = {"$lt": stored_before} if stored_before else {"$exists": True}
        await self._entries.delete_many({"_id": {"$in": list(file_ids)}, "uploadDate": older})
        await self._parts.delete_many({"files_id": {"$in": list(file_ids)}, "storedAt": older})

    async def remove_lost_parts(
        self, after: str | None, *, stored_before: datetime, limit: int
    ) -> tuple[str | None, int]:
        """Remove parts without a file that are older than `stored_before`, among the next `limit`
        parts. Return where to continue, or None at the end, and how many were removed.
        """
        shown = {"files_id": 1, "storedAt": 1}
        parts = await self._parts.find(_after(after), shown).sort("_id", ASCENDING).limit(limit).to_list(limit)
        names = {part["files_id"] for part in parts}
        known = {entry["_id"] async for entry in self._entries.find({"_id": {"$in": list(names)}}, {"_id": 1})}
        lost = [part["_id"] for part in parts if part["files_id"] not in known and part["storedAt"] < stored_before]
        if lost:
            # A part that was stored again in the meantime is not old enough.
            await self._parts.delete_many({"_id": {"$in": lost}, "storedAt": {"$lt": stored_before}})
        return (parts[-1]["_id"] if len(parts) == limit else None), len(lost)


def _replace_parts(file: StoredFile, now: datetime) -> list[ReplaceOne[Document]]:
    starts = range(0, len(file.content), PART_BYTES)
    return [_replace_part(file.id, n, file.content[start : start + PART_BYTES], now) for n, start in enumerate(starts)]


def _replace_part(file_id: str, n: int, content: bytes, now: datetime) -> ReplaceOne[Document]:
    part: Document = {"files_id": file_id, "n": n, "data": content, "storedAt": now}
    return ReplaceOne({"_id": f"{file_id}:{n}"}, part, upsert=True)


def _replace_entry(file: StoredFile, now: datetime) -> ReplaceOne[Document]:
    entry: Document = {
        "length": len(file.content),
        "chunkSize": PART_BYTES,
        "uploadDate": now,
        "filename": file.name,
        "metadata": {**file.metadata, "sha256": _digest(file.content)},
    }
    return ReplaceOne({"_id": file.id}, entry, upsert=True)


def _after(id_: str | None) -> Document:
    return {} if id_ is None else {"_id": {"$gt": id_}}


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
