"""Ticket documents in GridFS, under ids that are hashes of their content.

Every document can be made again, so a document that cannot be read counts as missing.
"""

from collections.abc import Collection
from datetime import datetime

from domain.ids import ConcertId, OrderId
from domain.tickets.documents import DocumentEntry, DocumentId, DocumentOwner, TicketDocument
from storage.mongo.client import Database, raises_unavailable
from storage.mongo.files.gridfs_files import FileEntry, GridFsFiles, StoredFile

NAME = "ticket_documents"


class DocumentStore:
    def __init__(self, database: Database) -> None:
        self._files = GridFsFiles(database, NAME, are_reproducible=True)

    async def create_indexes(self) -> None:
        await self._files.create_indexes()

    @raises_unavailable
    async def read(self, document_id: DocumentId) -> bytes | None:
        """Return a document, or None if it is not stored completely."""
        return await self._files.read(document_id)

    @raises_unavailable
    async def write(self, document: TicketDocument) -> None:
        """Store a document, even if it is stored already."""
        owner = {"concertId": document.owner.concert_id, "orderId": document.owner.order_id}
        await self._files.write([StoredFile(document.id, f"{document.id}.pdf", owner, document.pdf)])

    @raises_unavailable
    async def list_after(self, document_id: DocumentId | None, *, limit: int) -> tuple[DocumentEntry, ...]:
        """Return the next documents in the order of their ids."""
        return tuple(map(_entry, await self._files.list_after(document_id, limit=limit)))

    @raises_unavailable
    async def remove(self, document_ids: Collection[DocumentId]) -> None:
        await self._files.remove(document_ids)

    @raises_unavailable
    async def remove_lost_parts(
        self, after: str | None, *, stored_before: datetime, limit: int
    ) -> tuple[str | None, int]:
        """Among the next `limit` parts, remove those without a document that are older than
        `stored_before`. Return where to continue, or None at the end, and how many were removed.
        """
        return await self._files.remove_lost_parts(after, stored_before=stored_before, limit=limit)


def _entry(entry: FileEntry) -> DocumentEntry:
    owner = DocumentOwner(ConcertId(entry.metadata["concertId"]), OrderId(entry.metadata["orderId"]))
    return DocumentEntry(DocumentId(entry.id), owner, entry.stored_at)
