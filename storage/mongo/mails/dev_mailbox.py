"""The mailbox of a development installation: the most recent mails that were sent, as complete
messages.

It is a capped collection, so its size is limited and the oldest mails are removed first.
"""

from dataclasses import dataclass, field
from datetime import datetime

from bson import ObjectId
from bson.errors import InvalidId
from pymongo import DESCENDING
from pymongo.errors import CollectionInvalid, OperationFailure

from storage.mongo.client import Database, Document, raises_unavailable
from storage.mongo.orders import NAMESPACE_EXISTS

MAILBOX_BYTES = 64 * 1024 * 1024
"""Enough for a few thousand mails with a ticket."""


@dataclass(frozen=True, slots=True)
class MailboxEntry:
    id: str
    sent_at: datetime
    recipient: str = field(repr=False)
    subject: str
    content: bytes = field(repr=False)
    """The complete message. Empty in a list."""


class DevMailbox:
    def __init__(self, database: Database) -> None:
        self._database = database
        self._entries = database["mailbox"]

    @raises_unavailable
    async def put(self, recipient: str, subject: str, content: bytes, sent_at: datetime) -> None:
        await self._ensure_capped()
        await self._entries.insert_one(
            {"recipient": recipient, "subject": subject, "content": content, "sentAt": sent_at}
        )

    @raises_unavailable
    async def list_newest(self, limit: int) -> tuple[MailboxEntry, ...]:
        found = self._entries.find({}, {"content": 0}).sort("$natural", DESCENDING).limit(limit)
        return tuple([_entry(document) async for document in found])

    @raises_unavailable
    async def get(self, id_: str) -> MailboxEntry | None:
        try:
            document = await self._entries.find_one({"_id": ObjectId(id_)})
        except InvalidId:
            return None
        return _entry(document) if document else None

    async def _ensure_capped(self) -> None:
        """Create the collection if it is missing, because an insert would create it without a
        limit.
        """
        if "mailbox" in await self._database.list_collection_names(filter={"name": "mailbox"}):
            return
        try:
            await self._database.create_collection("mailbox", capped=True, size=MAILBOX_BYTES)
        except (CollectionInvalid, OperationFailure) as error:
            if isinstance(error, OperationFailure) and error.code != NAMESPACE_EXISTS:
                raise


def _entry(document: Document) -> MailboxEntry:
    return MailboxEntry(
        id=str(document["_id"]),
        sent_at=document["sentAt"],
        recipient=document["recipient"],
        subject=document["subject"],
        content=document.get("content", b""),
    )
