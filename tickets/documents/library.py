"""The documents of orders: rendered once, stored, and read again.

The id of a document is derived from everything that it shows. The document stored under an id is
therefore always right, and a change to a ticket, the concert or the template leads to a new id.
"""

import asyncio
import hashlib
import logging
from collections.abc import AsyncIterator, Awaitable, Sequence
from contextlib import aclosing, asynccontextmanager
from functools import cache
from itertools import product
from pathlib import Path
from typing import Protocol

from domain.concerts import Concert
from domain.ids import fingerprint
from domain.orders import Order
from domain.text.locales import Locale
from domain.tickets.documents import DocumentId, DocumentOwner, TicketDocument
from domain.tickets.ticket import Ticket
from tickets.documents.content import DocumentContent, build_content
from tickets.documents.fonts import SYSTEM_FOLDERS, fonts_digest, has_fonts, missing_packages
from tickets.documents.render import TEMPLATE
from tickets.documents.render_pool import RenderPool
from tickets.documents.selection import tickets_digest, valid_tickets

log = logging.getLogger(__name__)

PDF_TYPE = "application/pdf"


class DocumentStore(Protocol):
    def read(self, document_id: DocumentId) -> Awaitable[bytes | None]:
        """Return a document, or None if it is not stored. Raises TemporarilyUnavailable."""
        ...

    def write(self, document: TicketDocument) -> Awaitable[None]:
        """Store a document, even if it is stored already. Raises TemporarilyUnavailable."""
        ...


class Renderer(Protocol):
    async def render(self, content: DocumentContent, *, name: str) -> bytes:
        """Return the document as PDF. Raises RenderFailed or TemporarilyUnavailable."""
        ...


class CodeSigner(Protocol):
    async def sign_code(self, order: Order, ticket: Ticket, concert: Concert) -> str | None:
        """Return a code, or None if the ticket is not valid. Raises TemporarilyUnavailable."""
        ...


class DocumentLibrary:
    """Makes each document in only one task at a time, and continues if the caller gives up. A
    caller that repeats its request therefore gets even a document that takes longer than one
    request waits.
    """

    def __init__(self, codes: CodeSigner, store: DocumentStore, renderer: Renderer, *, fonts: str = "") -> None:
        """`fonts` is the fingerprint of the fonts that the renderer uses."""
        self.fonts = fonts
        self._codes = codes
        self._store = store
        self._renderer = renderer
        self._making: dict[DocumentId, asyncio.Task[bytes]] = {}

    async def pdf(self, order: Order, concert: Concert, tickets: Sequence[Ticket], locale: Locale) -> bytes:
        """Return the document with these tickets of an order, which must be valid.

        Raises RenderFailed or TemporarilyUnavailable.
        """
        content = build_content(order, concert, tickets, locale)
        id_ = document_id(order, tickets, content, fonts=self.fonts)
        stored = await self._store.read(id_)
        if stored is not None:
            return stored
        making = self._making.get(id_)
        if making is None:
            making = asyncio.create_task(self._make(id_, content, order, concert, tickets))
            self._making[id_] = making
            making.add_done_callback(lambda done: self._finish(id_, done))
        return await asyncio.shield(making)

    async def aclose(self) -> None:
        making = list(self._making.values())
        for task in making:
            task.cancel()
        await asyncio.gather(*making, return_exceptions=True)

    async def _make(
        self, id_: DocumentId, content: DocumentContent, order: Order, concert: Concert, tickets: Sequence[Ticket]
    ) -> bytes:
        codes = [await self._codes.sign_code(order, ticket, concert) or "" for ticket in tickets]
        pdf = await self._renderer.render(content.with_codes(codes), name=f"a document of order {order.id}")
        await self._store.write(TicketDocument(id_, DocumentOwner(concert.id, order.id), pdf))
        return pdf

    def _finish(self, id_: DocumentId, done: asyncio.Task[bytes]) -> None:
        del self._making[id_]
        if not done.cancelled() and (error := done.exception()) is not None:
            # All of its callers may have given up.
            log.debug("document %s was not made: %s", id_, error)


@asynccontextmanager
async def open_library(
    codes: CodeSigner, store: DocumentStore, font_dirs: Sequence[Path]
) -> AsyncIterator[DocumentLibrary]:
    """Provide the processes that render, and end them with the block. They start when first needed.

    Missing fonts are logged. The folders in `font_dirs` are searched before the system's.
    """
    folders = [*font_dirs, *SYSTEM_FOLDERS]
    fonts = await asyncio.to_thread(_check_fonts, tuple(folders), tuple(font_dirs))
    async with (
        aclosing(RenderPool(folders)) as pool,
        aclosing(DocumentLibrary(codes, store, pool, fonts=fonts)) as library,
    ):
        yield library


@cache
def _check_fonts(folders: tuple[Path, ...], font_dirs: tuple[Path, ...]) -> str:
    """Return the fingerprint of the fonts. Log missing fonts, once per process."""
    for folder in font_dirs:
        if not has_fonts(folder):
            log.warning("ONSALE_FONT_DIRS contains %s, which has no fonts", folder)
    if missing := ", ".join(missing_packages(folders)):
        log.warning("some names will show boxes on tickets: install the fonts of %s, or set ONSALE_FONT_DIRS", missing)
    return fonts_digest(folders)


def document_id(order: Order, tickets: Sequence[Ticket], content: DocumentContent, *, fonts: str) -> DocumentId:
    """Return the id: a hash of the tickets with their generations, the template, the fonts, the
    language, and the other texts of the document.
    """
    digest = tickets_digest(order, tickets)
    return DocumentId(fingerprint("document", digest, _template_digest(), fonts, content.locale, content.digest))


def current_document_ids(order: Order, concert: Concert, *, fonts: str) -> set[DocumentId]:
    """Return the ids of all documents of an order that can be requested now."""
    found = set[DocumentId]()
    for holder in {ticket.holder_id for ticket in order.tickets}:
        valid = valid_tickets(order, holder)
        selections = {valid, *((ticket,) for ticket in valid)} - {()}
        for tickets, locale in product(selections, Locale):
            content = build_content(order, concert, tickets, locale)
            found.add(document_id(order, tickets, content, fonts=fonts))
    return found


@cache
def _template_digest() -> str:
    return hashlib.sha256(TEMPLATE.read_bytes()).hexdigest()
