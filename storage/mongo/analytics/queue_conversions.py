"""The conversion of queues, read from the archived queue events.

An entry counts once per step, however often a step was archived. Steps are collected as flags and
times, because MongoDB 6.0 does not group equal sets of `$addToSet` together.
"""

from collections import Counter
from collections.abc import AsyncIterator, Iterator
from datetime import datetime

from pymongo import ASCENDING

from domain.analytics.queue_conversion import DROPOUT_ENDS, EntryStep, QueueConversion, QueueSteps, sum_entries
from domain.analytics.time_ranges import TimeRange
from domain.ids import ConcertId
from domain.queue_events import QueueEventKind
from domain.queues import EntryEnd
from storage.mongo.analytics.aggregation import MAX_MS, aggregate, step_of
from storage.mongo.client import Database, Document, raises_unavailable

EVENTS_PER_PART = 100_000
"""The number of events per aggregation, which takes about half a second. A part may have a few
more, because it always includes all events of its last person.
"""
_BY_PERSON: Document = {"concertId": 1, "personId": 1, "at": 1, "sequence": 1}
"""The index of events by person. Without it, MongoDB would read all events for each part."""
_REACHED = (QueueEventKind.JOINED, QueueEventKind.CALLED, QueueEventKind.CLAIMED, QueueEventKind.COMPLETED)
_DROPPED_OUT = "dropped_out"
_ENTRY: Document = {"entry": "$place", "person": "$personId"}


class QueueConversionStore:
    def __init__(self, database: Database) -> None:
        self._events = database["queueEvents"]

    async def read(self, concert_id: ConcertId) -> QueueConversion:
        """Return the conversion of all rounds of a queue. Raises TemporarilyUnavailable."""
        names = (*_REACHED, *DROPOUT_ENDS)
        flags = {kind.value: {"$max": {"$eq": ["$event", kind]}} for kind in _REACHED}
        flags |= {end.value: {"$max": {"$eq": ["$end", end]}} for end in DROPOUT_ENDS}
        by_flags: list[Document] = [
            {"$group": {"_id": _ENTRY, **flags}},
            {"$group": {"_id": {name.value: f"${name}" for name in names}, "count": {"$sum": 1}}},
        ]
        groups = [group async for group in self._aggregate(concert_id, {}, by_flags)]
        return sum_entries((tuple(_steps(group["_id"])), group["count"]) for group in groups)

    async def read_over_time(self, concert_id: ConcertId, range_: TimeRange) -> tuple[QueueSteps, ...]:
        """Return the steps reached in each bucket that has any, in no particular order.

        A step that was archived twice in the range counts at its first time. Raises
        TemporarilyUnavailable.
        """
        times = {kind.value: {"$min": _time_if({"$eq": ["$event", kind]})} for kind in _REACHED}
        times |= {_DROPPED_OUT: {"$min": _time_if({"$in": ["$end", DROPOUT_ENDS]})}}
        step = {"time": step_of(range_, "$steps.at"), "name": "$steps.name"}
        by_step: list[Document] = [
            {"$group": {"_id": _ENTRY, **times}},
            {"$project": {"_id": 0, "steps": [{"name": name, "at": f"${name}"} for name in times]}},
            {"$unwind": "$steps"},
            {"$match": {"steps.at": {"$ne": None}}},
            {"$group": {"_id": step, "count": {"$sum": 1}}},
        ]
        counts = dict[datetime, Counter[str]]()
        in_range = {"at": {"$gte": range_.start, "$lt": range_.end}}
        async for group in self._aggregate(concert_id, in_range, by_step):
            start, name = range_.start_of(group["_id"]["time"]), group["_id"]["name"]
            counts.setdefault(start, Counter())[name] += group["count"]
        return tuple(QueueSteps(start, **by_name) for start, by_name in counts.items())

    async def _aggregate(
        self, concert_id: ConcertId, query: Document, pipeline: list[Document]
    ) -> AsyncIterator[Document]:
        """Yield the results part by part, where a part is some of the people, so that each
        aggregation is short and fits into memory. Raises TemporarilyUnavailable.
        """
        has_parts = await self._has_parts({"concertId": concert_id, **query})
        after, last = "", None
        while True:
            last = await self._find_last_person(concert_id, after) if has_parts else None
            people = {"$gt": after} if last is None else {"$gt": after, "$lte": last}
            matching = {"$match": {"concertId": concert_id, "personId": people, **query}}
            hint = _BY_PERSON if has_parts else None
            for document in await aggregate(self._events, [matching, *pipeline], hint=hint):
                yield document
            if last is None:
                return
            after = last

    @raises_unavailable
    async def _has_parts(self, query: Document) -> bool:
        found = await self._events.count_documents(query, limit=EVENTS_PER_PART + 1, maxTimeMS=MAX_MS)
        return found > EVENTS_PER_PART

    @raises_unavailable
    async def _find_last_person(self, concert_id: ConcertId, after: str) -> str | None:
        """Return the last person of the part that begins after this one, or None for the last
        part.
        """
        query = {"concertId": concert_id, "personId": {"$gt": after}}
        people = self._events.find(query, {"_id": 0, "personId": 1}, max_time_ms=MAX_MS, hint=_BY_PERSON)
        found = await people.sort("personId", ASCENDING).skip(EVENTS_PER_PART - 1).limit(1).to_list(1)
        return found[0]["personId"] if found else None


def _time_if(condition: Document) -> Document:
    return {"$cond": [condition, "$at", None]}


def _steps(flags: Document) -> Iterator[EntryStep]:
    """Yield the steps that an entry with these flags has reached."""
    yield from (EntryStep(kind) for kind in _REACHED if flags[kind])
    for end in DROPOUT_ENDS:
        if flags[end]:
            yield EntryStep(QueueEventKind.LEFT if end is EntryEnd.LEFT else QueueEventKind.EXPIRED, end)
