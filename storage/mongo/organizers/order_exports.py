"""The records of who exported the orders of a concert, written with majority write concern.

A record is inserted before the first row is sent, and completed afterward. Records are never
removed.
"""

from pymongo import ASCENDING, DESCENDING

from domain.ids import ConcertId, PersonId
from domain.organizers.order_export import OrderExport
from domain.page import Page, PageRequest
from storage.mongo.client import Database, Document, raises_unavailable
from storage.mongo.cursors import find_page


class OrderExportStore:
    def __init__(self, database: Database) -> None:
        self._exports = database["order_exports"]

    async def create_indexes(self) -> None:
        """Create the index for pages of a concert's records, newest first."""
        await self._exports.create_index([("concertId", ASCENDING), ("at", DESCENDING), ("_id", ASCENDING)])

    @raises_unavailable
    async def begin(self, export: OrderExport) -> None:
        await self._exports.insert_one(
            {
                "_id": export.id,
                "concertId": export.concert_id,
                "at": export.at,
                "personId": export.person_id,
                "personName": export.person_name,
                "rows": None,
                "isComplete": False,
            }
        )

    @raises_unavailable
    async def finish(self, export_id: str, *, rows: int, is_complete: bool) -> None:
        await self._exports.update_one({"_id": export_id}, {"$set": {"rows": rows, "isComplete": is_complete}})

    @raises_unavailable
    async def page(self, concert_id: ConcertId, request: PageRequest) -> Page[OrderExport]:
        """Return a page of a concert's records, newest first.

        Raises BadUserInput for an invalid cursor.
        """
        query: Document = {"concertId": concert_id}
        return await find_page(self._exports, query, _export, request, sort_field="at")


def _export(document: Document) -> OrderExport:
    return OrderExport(
        id=document["_id"],
        concert_id=ConcertId(document["concertId"]),
        at=document["at"],
        person_id=PersonId(document["personId"]),
        person_name=document["personName"],
        rows=document["rows"],
        is_complete=document["isComplete"],
    )
