"""The inbox of payment events in MongoDB: each event is recorded once, and applied by a worker.

The insert is a majority write that concurrent events share. Claims and results are acknowledged by
the primary alone: if one is lost, the event is applied again, which changes nothing. An event is
due if `dueAt` is not in the future. A claim moves `dueAt` to the end of the lease, so the events of
a worker that died become due again.
"""

import asyncio
import logging
import uuid
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import bson
from bson.errors import BSONError
from bson.raw_bson import RawBSONDocument
from pymongo import ASCENDING, UpdateOne
from pymongo.errors import BulkWriteError
from pymongo.read_concern import ReadConcern
from pymongo.write_concern import WriteConcern

from domain.errors import TemporarilyUnavailable
from domain.ids import ConcertId, OrderId
from domain.payments.inbox import InboxEvent, InboxState
from storage.grouped_calls import GroupedCalls
from storage.mongo.client import ANSWER_WITHIN_MS, Database, Document, raises_unavailable
from storage.mongo.order_batch import Outcome, describe_failures, outcomes_of
from storage.mongo.order_documents import fact_document, fact_from_document

log = logging.getLogger(__name__)

SENDERS = 4
MAX_GROUP = 100
MAX_WAITING = 5_000
"""About two seconds' worth of events. Beyond this limit, events are refused with HTTP 503, and the
provider sends them again.
"""
KEPT_FOR = timedelta(days=90)
LEASE = timedelta(seconds=30)
"""Longer than applying an event takes, even if a store or the provider is slow."""
DUE_INDEX = "due"
EXPIRY_INDEX = "expiry"
PROBLEM_INDEX = "problems"


class EventNotStorable(Exception):
    """MongoDB cannot store the event, for example because of a lone surrogate in an id."""


@dataclass(frozen=True, slots=True)
class _Answer:
    outcome: Outcome
    why: str
    """Why the outcome is unknown, for the log of the request."""


@dataclass(frozen=True, slots=True)
class Claim:
    """The events that one worker may apply until its lease ends."""

    token: str
    events: tuple[InboxEvent, ...]
    has_more: bool
    """True if more events may be due, because as many were found as were requested."""


class PaymentInbox:
    """`publish_hint` tells the workers that there are new events.

    `aclose` fails every insert that is still waiting.
    """

    def __init__(self, database: Database, *, publish_hint: Callable[[], None]) -> None:
        self.collection = database["payment_events"]
        self._by_primary = self.collection.with_options(
            read_concern=ReadConcern("local"), write_concern=WriteConcern(1, wtimeout=ANSWER_WITHIN_MS)
        )
        self._inserts = GroupedCalls(self._insert, _unknown, senders=SENDERS, max_group=MAX_GROUP)
        self._publish_hint = publish_hint
        self._will_hint = False

    async def create_indexes(self) -> None:
        """Create the indexes. Only events that are still to be applied have the field `dueAt`, and
        only those that could not be applied have a problem.
        """
        await self.collection.create_index(
            [("dueAt", ASCENDING)], name=DUE_INDEX, partialFilterExpression={"dueAt": {"$exists": True}}
        )
        await self.collection.create_index(
            [("receivedAt", ASCENDING)], name=EXPIRY_INDEX, expireAfterSeconds=int(KEPT_FOR.total_seconds())
        )
        await self.collection.create_index(
            [("state", ASCENDING), ("receivedAt", ASCENDING)],
            name=PROBLEM_INDEX,
            partialFilterExpression={"problem": {"$gt": ""}},
        )

    async def insert(self, event: InboxEvent) -> bool:
        """Record an event, and return whether it is new.

        Raises EventNotStorable, or TemporarilyUnavailable if the outcome is unknown or too many
        events are waiting.
        """
        try:
            document = RawBSONDocument(bson.encode(_document(event)))
        except (BSONError, UnicodeError, OverflowError) as error:
            raise EventNotStorable(type(error).__name__) from error
        if self._inserts.waiting_count >= MAX_WAITING:
            raise TemporarilyUnavailable("Too many payment events are waiting to be recorded")
        answer = await self._inserts.call(document)
        if answer.outcome is Outcome.UNKNOWN:
            log.warning("the outcome of payment event %s is unknown: %s", event.id, answer.why)
            raise TemporarilyUnavailable("The order database does not answer")
        is_new = answer.outcome is Outcome.RECORDED
        if is_new and event.due_at is not None:
            self._hint_soon()
        return is_new

    @raises_unavailable
    async def claim(self, *, now: datetime, limit: int) -> Claim:
        """Claim the events that have been due longest, for the time of a lease."""
        due: Document = {"dueAt": {"$lte": now}}
        found = await self._by_primary.find(due, {"_id": 1}).sort("dueAt", ASCENDING).to_list(limit)
        token = uuid.uuid4().hex
        if not found:
            return Claim(token, (), has_more=False)
        ids = [document["_id"] for document in found]
        # Another worker may have claimed the same events since they were read.
        await self._by_primary.update_many(
            {"_id": {"$in": ids}, **due}, {"$set": {"dueAt": now + LEASE, "lease": token}}
        )
        claimed = await self._by_primary.find({"_id": {"$in": ids}, "lease": token}).to_list(None)
        events = tuple(_event(document) for document in claimed)
        return Claim(token, events, has_more=len(found) == limit)

    @raises_unavailable
    async def finish(self, claim: Claim, events: Sequence[InboxEvent]) -> None:
        """Write the new states of claimed events, except those that have been claimed again
        since.
        """
        if events:
            await self._by_primary.bulk_write([_result(claim, event) for event in events], ordered=False)

    @raises_unavailable
    async def get(self, event_id: str) -> InboxEvent | None:
        document = await self._by_primary.find_one({"_id": event_id})
        return _event(document) if document else None

    @raises_unavailable
    async def list_kept(
        self, states: Collection[InboxState], *, ids: Collection[str] | None, limit: int
    ) -> tuple[InboxEvent, ...]:
        """Return events in these states that have a problem, the oldest of each state first. If
        `ids` is not None, return only events with these ids.
        """
        query: Document = {"state": {"$in": list(states)}, "problem": {"$gt": ""}}
        if ids is not None:
            query["_id"] = {"$in": list(ids)}
        found = self._by_primary.find(query).sort([("state", ASCENDING), ("receivedAt", ASCENDING)]).limit(limit)
        return tuple([_event(document) async for document in found])

    @raises_unavailable
    async def reopen(self, ids: Collection[str]) -> None:
        """Make events that were kept back due again, and end their leases."""
        kept = {"$in": [InboxState.PARKED, InboxState.QUARANTINED, InboxState.REPORTED]}
        reopened = {"$set": {"state": InboxState.NEW, "dueAt": datetime.now(UTC)}, "$unset": {"lease": ""}}
        await self._by_primary.update_many({"_id": {"$in": list(ids)}, "state": kept}, reopened)

    async def aclose(self) -> None:
        await self._inserts.aclose()

    async def _insert(self, documents: list[RawBSONDocument]) -> list[_Answer]:
        try:
            await self.collection.insert_many(documents, ordered=False)
        except BulkWriteError as error:
            details: Mapping[str, Any] = error.details or {}
            outcomes, why = outcomes_of(details, len(documents)), describe_failures(details)
            return [_Answer(outcomes.get(index, Outcome.UNKNOWN), why) for index in range(len(documents))]
        return [_Answer(Outcome.RECORDED, "")] * len(documents)

    def _hint_soon(self) -> None:
        """Publish one hint for all events of a batch, whose inserts return in the same turn of the
        event loop.
        """
        if not self._will_hint:
            self._will_hint = True
            asyncio.get_running_loop().call_soon(self._hint)

    def _hint(self) -> None:
        self._will_hint = False
        self._publish_hint()


def _unknown(why: str) -> _Answer:
    return _Answer(Outcome.UNKNOWN, why)


def _result(claim: Claim, event: InboxEvent) -> UpdateOne:
    changed: Document = {"state": event.state, "problem": event.problem}
    removed = {"lease": ""}
    if event.due_at is None:
        removed["dueAt"] = ""
    else:
        changed["dueAt"] = event.due_at
    return UpdateOne({"_id": event.id, "lease": claim.token}, {"$set": changed, "$unset": removed})


def _document(event: InboxEvent) -> Document:
    document: Document = {
        "_id": event.id,
        "kind": event.kind,
        "provider": event.provider,
        "intentId": event.intent_id,
        "orderId": event.order_id,
        "concertId": event.concert_id,
        "facts": [fact_document(fact) for fact in event.facts],
        "createdAt": event.created_at,
        "receivedAt": event.received_at,
        "state": event.state,
        "problem": event.problem,
    }
    if event.due_at is not None:
        document["dueAt"] = event.due_at
    if event.traceparent is not None:
        document["traceparent"] = event.traceparent
    return document


def _event(document: Document) -> InboxEvent:
    order_id, concert_id = document["orderId"], document["concertId"]
    return InboxEvent(
        id=document["_id"],
        kind=document["kind"],
        provider=document["provider"],
        intent_id=document["intentId"],
        order_id=None if order_id is None else OrderId(order_id),
        concert_id=None if concert_id is None else ConcertId(concert_id),
        facts=tuple(fact_from_document(fact) for fact in document["facts"]),
        created_at=document["createdAt"],
        received_at=document["receivedAt"],
        state=InboxState(document["state"]),
        due_at=document.get("dueAt"),
        problem=document["problem"],
        traceparent=document.get("traceparent"),
    )
