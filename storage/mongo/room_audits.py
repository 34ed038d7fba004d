"""Audit rows for waiting rooms and prices in MongoDB, written with majority write concern. The row
for a change is written in the same transaction as the change. The row for a manual admission is
inserted before people are called, and completed afterward.
"""

from contextlib import suppress
from dataclasses import asdict

from pymongo import ASCENDING, DESCENDING
from pymongo.errors import DuplicateKeyError

from domain.ids import ConcertId, PersonId, TierId
from domain.page import Page, PageRequest
from domain.room_audits import AdmissionLimit, ManualAdmission, RoomAction, RoomAudit, RoomCommand
from domain.room_changes import SettingChange
from storage.mongo.client import Database, Document, Session, raises_unavailable
from storage.mongo.cursors import find_page


class AlreadyDone(Exception):
    """A row with this id exists: the command has already been executed."""


class RoomAuditStore:
    def __init__(self, database: Database) -> None:
        self._audits = database["room_audits"]

    async def create_indexes(self) -> None:
        """Create the index for pages of a concert's rows, newest first."""
        await self._audits.create_index([("concertId", ASCENDING), ("at", DESCENDING), ("_id", ASCENDING)])

    async def insert_in_transaction(self, audit: RoomAudit, session: Session) -> None:
        """Insert the row for a change. Raises AlreadyDone if its command was executed before."""
        try:
            await self._audits.insert_one(_document(audit), session=session)
        except DuplicateKeyError as error:
            raise AlreadyDone(audit.command.id) from error

    @raises_unavailable
    async def insert(self, audit: RoomAudit) -> None:
        """Insert the row for a command that is about to be executed; an existing row is kept."""
        with suppress(DuplicateKeyError):
            await self._audits.insert_one(_document(audit))

    @raises_unavailable
    async def complete(self, audit: RoomAudit) -> None:
        """Write the result of a manual admission.

        The row is inserted if it is missing, because a refused repetition of the command may have
        deleted it.
        """
        fields = _document(audit)
        call = fields.pop("call")
        await self._audits.update_one(
            {"_id": audit.command.id}, {"$set": {"call": call}, "$setOnInsert": fields}, upsert=True
        )

    @raises_unavailable
    async def delete(self, id_: str) -> None:
        """Delete the row for a manual admission that was refused; a row with a result is kept."""
        await self._audits.delete_one({"_id": id_, "call.called": None})

    async def delete_all_in_transaction(self, concert_id: ConcertId, session: Session) -> None:
        """Delete the rows of a draft that is deleted."""
        await self._audits.delete_many({"concertId": concert_id}, session=session)

    @raises_unavailable
    async def get(self, id_: str) -> RoomAudit | None:
        document = await self._audits.find_one({"_id": id_})
        return _audit(document) if document else None

    @raises_unavailable
    async def page(self, concert_id: ConcertId, request: PageRequest) -> Page[RoomAudit]:
        """Return a page of a concert's rows, newest first.

        Raises BadUserInput for an invalid cursor.
        """
        return await find_page(self._audits, {"concertId": concert_id}, _audit, request, sort_field="at")


def _document(audit: RoomAudit) -> Document:
    return {
        "_id": audit.command.id,
        "concertId": audit.concert_id,
        "at": audit.at,
        "personId": audit.command.person_id,
        "personName": audit.command.person_name,
        "action": audit.command.action,
        "digest": audit.command.digest,
        "settingsVersion": audit.settings_version,
        "round": audit.round,
        "changes": [_change_document(change) for change in audit.changes],
        "call": asdict(audit.manual_admission) if audit.manual_admission else None,
    }


def _audit(document: Document) -> RoomAudit:
    return RoomAudit(
        concert_id=ConcertId(document["concertId"]),
        at=document["at"],
        command=RoomCommand(
            id=document["_id"],
            person_id=PersonId(document["personId"]),
            person_name=document["personName"],
            action=RoomAction(document["action"]),
            digest=document["digest"],
        ),
        settings_version=document["settingsVersion"],
        round=document["round"],
        changes=tuple(_change(change) for change in document["changes"]),
        manual_admission=_call(document["call"]),
    )


def _change_document(change: SettingChange) -> Document:
    document = {"setting": change.setting, "before": change.before, "after": change.after}
    return document if change.tier_id is None else {**document, "tierId": change.tier_id}


def _change(document: Document) -> SettingChange:
    tier_id = document.get("tierId")
    return SettingChange(
        document["setting"], document["before"], document["after"], TierId(tier_id) if tier_id else None
    )


def _call(document: Document | None) -> ManualAdmission | None:
    if document is None:
        return None
    limit = document["limit"]
    return ManualAdmission(document["asked"], document["called"], AdmissionLimit(limit) if limit else None)
