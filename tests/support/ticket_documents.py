"""The content of documents, and functions that read pages as people and scanners do."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pypdfium2
import pytest
import zxingcpp
from PIL.Image import Image

from domain.concerts import Concert, ConcertStatus, ConcertTerms, Tier, Venue
from domain.ids import PersonId
from domain.money import CurrencyCode
from domain.orders import Order, OrderStatus
from domain.text.locales import Locale
from domain.tickets.follow import follow
from tests.support.payment_orders import CONCERT, NOW, TIER, pending_order
from tickets.documents.content import DocumentContent, Labels, TicketContent, TicketTexts
from tickets.documents.fonts import SYSTEM_FOLDERS, missing_packages

CODE = "6BFOXN*TS0BI$ZD4N9:9S6RCVN5+O30K3/XIV0W23NTDEXWK G2EP4J0BGJLFX3R3VHXK.PJ:2DPF6R:5SVBHABVCNN95SWMPHQUHQN%"
DPI = 150


def require_noto_fonts() -> None:
    if missing := missing_packages(SYSTEM_FOLDERS):
        pytest.skip(f"fonts are missing, so scripts were not tested: install {' '.join(missing)}")


def make_content(
    *, holder: str = "Ada Lovelace", concert: str = "Nachtmusik", count: int = 1, code: str = CODE
) -> DocumentContent:
    return DocumentContent(
        locale=Locale.EN,
        country="DE",
        title=f"Tickets for {concert}",
        labels=Labels(starts="Starts", venue="Venue", tier="Category", holder="Name", notice="Show this code."),
        tickets=tuple(
            TicketContent(
                TicketTexts(
                    concert=concert,
                    starts="Tuesday, December 1, 2026, 7:00 PM",
                    venue="Tempodrom, Berlin",
                    tier="Standing",
                    holder=holder,
                    order="Order 0123456789AB",
                    number=f"Ticket {number} of {count}",
                ),
                code=code,
                alt=f"QR code of ticket {number} of {count}",
            )
            for number in range(1, count + 1)
        ),
    )


def read_pages(pdf: bytes) -> list[str]:
    """Return the text of each page in reading order, without the points at which long words may be
    broken.
    """
    return [_read(page) for page in _pages(pdf)]


def page_images(pdf: bytes, *, dpi: int = DPI) -> list[Image]:
    return [page.render(scale=dpi / 72).to_pil() for page in _pages(pdf)]


def scan_codes(pdf: bytes) -> list[Sequence[str]]:
    """Return the texts of the codes that a scanner finds on each page at 150 dpi."""
    return [[found.text for found in zxingcpp.read_barcodes(image)] for image in page_images(pdf)]


def _pages(pdf: bytes) -> Iterator[pypdfium2.PdfPage]:
    document = pypdfium2.PdfDocument(pdf)
    try:
        for page in document:
            yield page
            page.close()
    finally:
        document.close()


def _read(page: pypdfium2.PdfPage) -> str:
    text_page = page.get_textpage()
    try:
        return str(text_page.get_text_range()).replace("\u200b", "").replace("\r\n", "\n")
    finally:
        text_page.close()


def paid_order(*numbers: int, name: str = "order") -> Order:
    """Return a paid order for these units, with a ticket for each unit."""
    pending = pending_order(name, *numbers)
    paid = replace(pending, status=OrderStatus.PAID, version=2)
    return follow(pending, paid, NOW)


def evening(**terms: Any) -> Concert:
    """Return a concert in Berlin on the evening of December 1, 2026."""
    made = ConcertTerms(
        name="Nachtmusik",
        venue=Venue("Tempodrom", "Berlin", "DE", "Europe/Berlin"),
        description="",
        starts_at=datetime(2026, 12, 1, 19, tzinfo=UTC),
        sales_start_at=NOW,
        sales_end_at=NOW,
        limit_per_order=10,
        limit_per_person=10,
        hold_duration_ms=600_000,
    )
    return Concert(
        id=CONCERT,
        slug="nachtmusik",
        terms=replace(made, **terms),
        currency=CurrencyCode.EUR,
        tiers=(Tier(TIER, "Standing", 2_500, 100, 100),),
        status=ConcertStatus.PUBLISHED,
        version=3,
        epoch=1,
        created_by=PersonId("olga"),
        created_at=NOW,
        organizer_id=PersonId("olga"),
    )
