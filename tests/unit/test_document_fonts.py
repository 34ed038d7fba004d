"""A document that was made while fonts were missing is made again once they are installed."""

from pathlib import Path

from domain.orders import Order
from domain.text.locales import Locale
from domain.tickets.documents import DocumentId, TicketDocument
from domain.tickets.ticket import Ticket
from tests.support.payment_orders import concert_of_orders
from tests.support.ticket_orders import paid_order
from tickets.documents.content import DocumentContent
from tickets.documents.fonts import fonts_digest
from tickets.documents.library import DocumentLibrary, current_document_ids


class Codes:
    async def sign_code(self, order: Order, ticket: Ticket, concert: object) -> str | None:
        return "CODE"


class Documents:
    def __init__(self) -> None:
        self.by_id: dict[DocumentId, bytes] = {}

    async def read(self, document_id: DocumentId) -> bytes | None:
        return self.by_id.get(document_id)

    async def write(self, document: TicketDocument) -> None:
        self.by_id[document.id] = document.pdf


class Press:
    """Renders the number of the document."""

    count = 0

    async def render(self, content: DocumentContent, *, name: str) -> bytes:
        self.count += 1
        return str(self.count).encode()


def test_font_fingerprint_depends_on_names_and_sizes(tmp_path: Path) -> None:
    first, other = tmp_path / "first", tmp_path / "other" / "noto"
    for folder in (first, other):
        folder.mkdir(parents=True)
    empty = fonts_digest([tmp_path, tmp_path / "missing"])
    (first / "README").write_text("no font")
    assert fonts_digest([first]) == empty
    (first / "NotoSans-Regular.ttf").write_bytes(b"font")
    (other / "NotoSans-Regular.ttf").write_bytes(b"font")
    assert fonts_digest([first]) == fonts_digest([tmp_path / "other"]) != empty
    (other / "NotoSans-Regular.ttf").write_bytes(b"newer font")
    assert fonts_digest([first]) != fonts_digest([other])


async def test_document_is_made_again_with_other_fonts() -> None:
    order, concert, documents, press = paid_order("fonts", 1), concert_of_orders(), Documents(), Press()
    made = []
    for fonts in ("few", "few", "all"):
        library = DocumentLibrary(Codes(), documents, press, fonts=fonts)
        made.append(await library.pdf(order, concert, order.tickets, Locale.EN))
        await library.aclose()
    assert made == [b"1", b"1", b"2"]
    needed = current_document_ids(order, concert, fonts="all")
    assert [pdf for id_, pdf in documents.by_id.items() if id_ in needed] == [b"2"]
