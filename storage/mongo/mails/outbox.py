"""The outbox in MongoDB: each mail is queued once, by its fixed id, and sent by a worker.

A mail is due if `dueAt` is not in the future. A lease moves `dueAt` to its end, so the mails of a
worker that died become due again. Rows are kept, because an id must never be queued again. A row
contains no address and no text.
"""

import uuid
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from pymongo import ASCENDING
from pymongo.errors import BulkWriteError

from domain.errors import TemporarilyUnavailable
from domain.ids import ConcertId, OrderId, PersonId, Unit
from domain.mails.mail import Mail, MailKind, MailState
from storage.mongo.client import Database, Document, raises_unavailable
from storage.mongo.order_batch import DUPLICATE_KEY, describe_failures

LEASE = timedelta(seconds=150)
"""Longer than one mail takes, even if the server is slow. After this time, another worker sends the
mails of a worker that has died. The rest of a slow batch is leased again.
"""
DUE_INDEX = "due"
DEAD_INDEX = "dead"


@dataclass(frozen=True, slots=True)
class MailLease:
    """The mails that one worker may send until the lease ends."""

    token: str
    mails: tuple[Mail, ...]


class MailOutbox:
    def __init__(self, database: Database) -> None:
        self.collection = database["mails"]

    async def create_indexes(self) -> None:
        await self.collection.create_index(
            [("dueAt", ASCENDING)], name=DUE_INDEX, partialFilterExpression={"dueAt": {"$exists": True}}
        )
        await self.collection.create_index(
            [("createdAt", ASCENDING)], name=DEAD_INDEX, partialFilterExpression={"state": MailState.DEAD.value}
        )

    @raises_unavailable
    async def insert(self, mails: Iterable[Mail]) -> int:
        """Queue the mails that have not been queued before. Return the number of new ones."""
        documents = [_document(mail) for mail in mails]
        if not documents:
            return 0
        try:
            await self.collection.insert_many(documents, ordered=False)
        except BulkWriteError as error:
            details: Mapping[str, Any] = error.details or {}
            failures = details.get("writeErrors", ())
            if details.get("writeConcernErrors") or any(failure["code"] != DUPLICATE_KEY for failure in failures):
                raise TemporarilyUnavailable(f"Mails were not queued: {describe_failures(details)}") from error
            return len(documents) - len(failures)
        return len(documents)

    @raises_unavailable
    async def has_due(self, now: datetime) -> bool:
        return await self.collection.find_one({"dueAt": {"$lte": now}}, {"_id": 1}) is not None

    @raises_unavailable
    async def lease_due(self, now: datetime, *, limit: int) -> MailLease:
        """Lease the mails that have been due longest."""
        due: Document = {"dueAt": {"$lte": now}}
        token = uuid.uuid4().hex
        while found := await self.collection.find(due, {"_id": 1}).sort("dueAt", ASCENDING).to_list(limit):
            ids = {"$in": [document["_id"] for document in found]}
            lease = {"$set": {"dueAt": now + LEASE, "lease": token}}
            if (await self.collection.update_many({"_id": ids, **due}, lease)).modified_count:
                leased = self.collection.find({"_id": ids, "lease": token}).sort("createdAt", ASCENDING)
                return MailLease(token, tuple([_mail(document) async for document in leased]))
            # Other workers have leased all of these mails since they were read, so look for the
            # next ones.
        return MailLease(token, ())

    @raises_unavailable
    async def finish(self, lease: MailLease, mail: Mail) -> None:
        """Write the new state of a leased mail, unless another worker has leased it in the
        meantime.
        """
        changed, removed = _document(mail), {"lease": ""}
        for name in ("dueAt", "secret"):
            if name not in changed:
                removed[name] = ""
        del changed["_id"]
        await self.collection.update_one({"_id": mail.id, "lease": lease.token}, {"$set": changed, "$unset": removed})

    @raises_unavailable
    async def release(self, lease: MailLease, mails: Collection[Mail], now: datetime) -> None:
        """Release mails that were not tried, so that they are due at once."""
        if mails:
            query = {"_id": {"$in": [mail.id for mail in mails]}, "lease": lease.token}
            await self.collection.update_many(query, {"$set": {"dueAt": now}, "$unset": {"lease": ""}})

    @raises_unavailable
    async def get(self, id_: str) -> Mail | None:
        document = await self.collection.find_one({"_id": id_})
        return _mail(document) if document else None

    @raises_unavailable
    async def list_dead(self, *, ids: Sequence[str] | None, limit: int) -> tuple[Mail, ...]:
        """Return dead letters, oldest first. If `ids` is not None, only those."""
        query: Document = {"state": MailState.DEAD}
        if ids is not None:
            query["_id"] = {"$in": list(ids)}
        found = self.collection.find(query).sort("createdAt", ASCENDING).limit(limit)
        return tuple([_mail(document) async for document in found])

    @raises_unavailable
    async def retry(self, ids: Collection[str], now: datetime) -> int:
        """Make dead letters due again, as if they had never been tried. Return their number."""
        changed = {
            "state": MailState.DUE,
            "dueAt": now,
            "attempts": 0,
            "failingSince": None,
            "unanswered": 0,
            "problem": "",
        }
        result = await self.collection.update_many(
            {"_id": {"$in": list(ids)}, "state": MailState.DEAD}, {"$set": changed}
        )
        return result.modified_count


def _document(mail: Mail) -> Document:
    document: Document = {
        "_id": mail.id,
        "kind": mail.kind,
        "concertId": mail.concert_id,
        "orderId": mail.order_id,
        "personId": mail.person_id,
        "createdAt": mail.created_at,
        "number": mail.number,
        "unit": mail.unit,
        "state": mail.state,
        "attempts": mail.attempts,
        "failingSince": mail.failing_since,
        "unanswered": mail.unanswered,
        "problem": mail.problem,
    }
    if mail.due_at is not None:
        document["dueAt"] = mail.due_at
    if mail.secret is not None:
        document["secret"] = mail.secret
    if mail.traceparent is not None:
        document["traceparent"] = mail.traceparent
    return document


def _mail(document: Document) -> Mail:
    unit = document["unit"]
    return Mail(
        id=document["_id"],
        kind=MailKind(document["kind"]),
        concert_id=ConcertId(document["concertId"]),
        order_id=OrderId(document["orderId"]),
        person_id=PersonId(document["personId"]),
        created_at=document["createdAt"],
        due_at=document.get("dueAt"),
        number=document["number"],
        unit=None if unit is None else Unit(unit),
        secret=document.get("secret"),
        state=MailState(document["state"]),
        attempts=document["attempts"],
        failing_since=document["failingSince"],
        unanswered=document.get("unanswered", 0),
        problem=document["problem"],
        traceparent=document.get("traceparent"),
    )
