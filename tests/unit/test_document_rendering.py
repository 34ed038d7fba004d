"""A document shows every name, reads in logical order, and can be scanned at 150 dpi."""

import io
from typing import Any

import pypdf
import pytest

from tests.support.ticket_documents import CODE, make_content, read_pages, require_noto_fonts, scan_codes
from tickets.documents.fonts import BOX, SYSTEM_FOLDERS, FontLibrary
from tickets.documents.render import Renderer

NAMES = {
    "Latin": "Zoë Łukasiewicz",
    "Greek": "Ελένη Παπαδοπούλου",
    "Cyrillic": "Юлия Ёжикова",
    "Arabic": "محمد عبد الله",
    "Hebrew": "שלום כהן",
    "Chinese, Japanese and Korean": "山田 太郎 简体 한국어",
    "Thai": "สมชาย ใจดี",
    "Devanagari": "अर्जुन क्षत्रिय",
    "emoji": "Ada 👩‍🚀 🎉",
}
"""Names in many scripts. Each must be read as it was written."""


@pytest.fixture(scope="module")
def renderer() -> Renderer:
    require_noto_fonts()
    return Renderer(SYSTEM_FOLDERS)


@pytest.fixture(scope="module")
def bare_renderer() -> Renderer:
    """A renderer on a machine without fonts."""
    return Renderer([])


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
def test_name_in_each_script_is_read_as_written(renderer: Renderer, name: str) -> None:
    rendered = renderer.render(make_content(holder=name))

    assert (rendered.uncovered, rendered.problem) == ((), "")
    assert read_pages(rendered.pdf)[0].split("\n") == [
        "Ticket 1 of 1 Order 0123456789AB",
        "Nachtmusik",
        "Starts",
        "Tuesday, December 1, 2026, 7:00 PM",
        "Venue",
        "Tempodrom, Berlin",
        "Category",
        "Standing",
        "Name",
        name,
        "Show this code.",
    ]


def test_name_that_consists_only_of_marks_is_shown(renderer: Renderer) -> None:
    rendered = renderer.render(make_content(holder="\u0301\u0302"))

    assert (rendered.uncovered, rendered.problem) == ((), "")
    assert "\nName\n\u0301\u0302\n" in read_pages(rendered.pdf)[0]
    assert scan_codes(rendered.pdf) == [[CODE]]


@pytest.mark.parametrize("letter", ["W", "ab", "漢", "ก", "م", "نص ", "word "], ids=ascii)
def test_text_of_200_characters_stays_on_its_page(renderer: Renderer, letter: str) -> None:
    long = (letter * 200)[:200].strip()
    rendered = renderer.render(make_content(holder=long, concert=long))
    pages = read_pages(rendered.pdf)

    assert (len(pages), rendered.problem) == (1, "")
    assert pages[0].replace("\n", "").replace(" ", "").count(long.replace(" ", "")) == 2
    assert scan_codes(rendered.pdf) == [[CODE]]


def test_each_ticket_has_its_page_and_code(renderer: Renderer) -> None:
    pdf = renderer.render(make_content(count=4)).pdf

    assert [page.split("\n")[0] for page in read_pages(pdf)] == [
        f"Ticket {number} of 4 Order 0123456789AB" for number in range(1, 5)
    ]
    assert scan_codes(pdf) == [[CODE]] * 4


def test_noncharacter_becomes_a_box_and_is_reported(renderer: Renderer) -> None:
    rendered = renderer.render(make_content(holder="A\ufdd0da\ufdd1"))

    assert (rendered.uncovered, rendered.problem) == ((0xFDD0, 0xFDD1), "")
    assert f"\nA{BOX}da{BOX}\n" in read_pages(rendered.pdf)[0]


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("Ada\tBo\nCy", "Ada Bo Cy"),
        ("Ada \u202eoB\u202c", "Ada oB"),
        ("Ada \ud800", f"Ada {BOX}"),
        ("*Ada* #panic()", "*Ada* #panic()"),
        ("\\ $x$ <a> @b //c", "\\ $x$ <a> @b //c"),
    ],
    ids=["breaks", "override", "surrogate", "markup", "syntax"],
)
def test_special_text_is_shown_as_text(renderer: Renderer, name: str, shown: str) -> None:
    rendered = renderer.render(make_content(holder=name))

    assert rendered.problem == ""
    assert f"\n{shown}\n" in read_pages(rendered.pdf)[0]


def test_same_document_has_the_same_bytes(renderer: Renderer) -> None:
    first, other, again = [renderer.render(make_content(holder=name)) for name in ("Ada", "Bo", "Ada")]

    assert first == again
    assert first.pdf != other.pdf


def test_machine_without_fonts_makes_a_document(bare_renderer: Renderer) -> None:
    rendered = bare_renderer.render(make_content(holder="Zoë Łukasiewicz 山 👩‍🚀"))

    assert (rendered.uncovered, rendered.problem) == ((ord("山"), ord("👩"), ord("🚀")), "")
    assert f"\nZoë Łukasiewicz {BOX} {BOX}{BOX}\n" in read_pages(rendered.pdf)[0]
    assert scan_codes(rendered.pdf) == [[CODE]]


def test_characters_listed_as_built_in_are_built_in(bare_renderer: Renderer) -> None:
    fonts = FontLibrary([])
    built_in = [chr(code) for code in range(0x20, 0x3000) if not fonts.fit(chr(code)).uncovered]
    text = " ".join(built_in)
    rendered = [bare_renderer.render(make_content(holder=text[at : at + 300])) for at in range(0, len(text), 300)]

    assert len(built_in) > 1_500
    assert {document.problem for document in rendered} == {""}


def test_document_that_violates_the_standard_is_made_without_it(
    bare_renderer: Renderer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tickets.documents.fonts.FontLibrary._fit", lambda self, character, uncovered: character)

    rendered = bare_renderer.render(make_content(holder="Ada \ufdd0"))

    assert (
        rendered.problem
        == 'PDF/UA-1 error: the text `"\\u{fdd0}"` could not be displayed with font `"Libertinus Serif"`'
    )
    assert scan_codes(rendered.pdf) == [[CODE]]


def test_document_has_the_structure_of_pdf_ua(renderer: Renderer) -> None:
    """These structural checks need no validator; another test uses veraPDF."""
    rendered = renderer.render(make_content(holder="محمد", count=2))
    pdf = pypdf.PdfReader(io.BytesIO(rendered.pdf))
    catalog: Any = pdf.trailer["/Root"]

    assert b"<pdfuaid:part>1</pdfuaid:part>" in rendered.pdf
    assert catalog["/MarkInfo"]["/Marked"]
    assert catalog["/Lang"] == "en"
    assert catalog["/ViewerPreferences"]["/DisplayDocTitle"]
    assert pdf.metadata is not None
    assert (pdf.metadata.title, pdf.is_encrypted) == ("Tickets for Nachtmusik", False)
    elements = list(structure(catalog["/StructTreeRoot"]))
    assert [kind for kind, _ in elements].count("/H1") == 2
    assert [alt for kind, alt in elements if kind == "/Figure"] == [
        "QR code of ticket 1 of 2",
        "QR code of ticket 2 of 2",
    ]
    pages: list[Any] = list(pdf.pages)
    assert [page["/Tabs"] for page in pages] == ["/S", "/S"]
    assert all(is_embedded(font) for page in pages for font in page["/Resources"]["/Font"].values())


def structure(element: Any) -> list[tuple[str, str | None]]:
    """Return the kind and the alternative text of each element of a structure tree, in order."""
    element = element.get_object() if isinstance(element, pypdf.generic.IndirectObject) else element
    if isinstance(element, list):
        return [found for child in element for found in structure(child)]
    if not isinstance(element, dict):
        return []
    own = [(str(element["/S"]), element.get("/Alt"))] if "/S" in element else []
    return own + structure(element.get("/K", []))


def is_embedded(font: Any) -> bool:
    """Return whether a font is in the file, with a map from its glyphs to text."""
    found = font.get_object()
    if found["/Subtype"] == "/Type3":
        return "/ToUnicode" in found
    descriptor = found["/DescendantFonts"][0].get_object()["/FontDescriptor"]
    return "/ToUnicode" in found and bool({"/FontFile2", "/FontFile3"} & set(descriptor))
