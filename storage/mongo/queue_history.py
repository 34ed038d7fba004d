"""The history of queues in MongoDB: when each person joined, was called and left.

Events are kept for ninety days. The `_id` contains the id of the event in the stream, so an event
that is added twice is stored once.
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import bson
from bson.errors import BSONError
from pymongo import ASCENDING
from pymongo.errors import BulkWriteError

from domain.errors import TemporarilyUnavailable
from domain.ids import ConcertId, PersonId
from domain.queue_events import QueueEvent, QueueEventKind
from domain.queues import EntryEnd
from storage.mongo.client import Database, Document, raises_unavailable

KEPT_FOR = timedelta(days=90)
MAX_READ = 1_000
_DUPLICATE_KEY = 11000
_BY_TIME = [("at", ASCENDING), ("sequence", ASCENDING)]
"""The sequence is needed because one admission run calls many people in the same millisecond."""


class QueueHistory:
    def __init__(self, database: Database) -> None:
        self._events = database["queueEvents"]

    async def create_indexes(self) -> None:
        kept_s = int(KEPT_FOR.total_seconds())
        await self._events.create_index([("at", ASCENDING)], expireAfterSeconds=kept_s)
        await self._events.create_index([("concertId", ASCENDING), *_BY_TIME])
        await self._events.create_index([("concertId", ASCENDING), ("personId", ASCENDING), *_BY_TIME])

    async def add(self, events: Sequence[QueueEvent]) -> dict[str, str]:
        """Record each event once. Return the reason for each one that MongoDB cannot store, by
        event id.

        Raises TemporarilyUnavailable if the outcome is unknown; the events must then be added
        again.
        """
        refused: dict[str, str] = {}
        documents: list[Document] = []
        for event in events:
            document = _document(event)
            try:
                bson.encode(document)
            except (BSONError, UnicodeError, OverflowError) as error:
                refused[event.id] = str(error)
            else:
                documents.append(document)
        if documents:
            refused |= await self._insert(documents)
        return refused

    @raises_unavailable
    async def _insert(self, documents: list[Document]) -> dict[str, str]:
        try:
            await self._events.insert_many(documents, ordered=False)
        except BulkWriteError as error:
            details: Mapping[str, Any] = error.details or {}
            if details.get("writeConcernErrors"):
                raise TemporarilyUnavailable("A majority of the order database does not answer") from error
            return {
                _stream_id(documents[failure["index"]]): str(failure["errmsg"])
                for failure in details.get("writeErrors", ())
                if failure["code"] != _DUPLICATE_KEY
            }
        return {}

    @raises_unavailable
    async def list_for_person(self, concert_id: ConcertId, person_id: PersonId) -> tuple[QueueEvent, ...]:
        """Return a person's events at a concert, oldest first, at most a thousand."""
        return await self._find({"concertId": concert_id, "personId": person_id})

    @raises_unavailable
    async def list_for_concert(
        self, concert_id: ConcertId, *, after: QueueEvent | None = None
    ) -> tuple[QueueEvent, ...]:
        """Return a concert's events after `after`, oldest first, at most a thousand."""
        query: Document = {"concertId": concert_id}
        if after is not None:
            query["$or"] = [{"at": {"$gt": after.at}}, {"at": after.at, "sequence": {"$gt": _sequence(after)}}]
        return await self._find(query)

    async def _find(self, query: Document) -> tuple[QueueEvent, ...]:
        found = self._events.find(query).sort(_BY_TIME).limit(MAX_READ)
        return tuple([_event(document) async for document in found])


def _sequence(event: QueueEvent) -> int:
    return int(event.id.rpartition("-")[2])


def _stream_id(document: Document) -> str:
    return str(document["_id"]).partition(":")[2]


def _document(event: QueueEvent) -> Document:
    return {
        "_id": f"{event.concert_id}:{event.id}",
        "concertId": event.concert_id,
        "event": event.kind,
        "at": event.at,
        "sequence": _sequence(event),
        "personId": event.person_id,
        "place": event.entry_id,
        "round": event.round,
        "count": event.count,
        "end": event.end_reason,
    }


def _event(document: Document) -> QueueEvent:
    person_id, end = document["personId"], document["end"]
    return QueueEvent(
        concert_id=ConcertId(document["concertId"]),
        id=_stream_id(document),
        kind=QueueEventKind(document["event"]),
        at=document["at"],
        person_id=None if person_id is None else PersonId(person_id),
        entry_id=document["place"],
        round=document["round"],
        count=document["count"],
        end_reason=None if end is None else EntryEnd(end),
    )
