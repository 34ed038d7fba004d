"""Renders a document as PDF/UA-1, which screen readers can read. Rendering never fails because of a
character.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import typst

from tickets.documents.content import DocumentContent
from tickets.documents.fonts import FittedText, FontLibrary
from tickets.qr import draw_qr

TEMPLATE = Path(__file__).with_name("ticket.typ")


@dataclass(frozen=True, slots=True)
class RenderedDocument:
    pdf: bytes
    uncovered: tuple[int, ...] = ()
    """The code points that no font covers, which the document shows as boxes."""
    problem: str = ""
    """Why the document does not conform to the standard. Empty if it does."""


class Renderer:
    """Renders with one set of fonts. It is not safe for threads."""

    def __init__(self, folders: Sequence[Path]) -> None:
        self._fonts = FontLibrary(folders)
        # The root prevents the template from reading any other file, and it has no packages.
        self._compiler = typst.Compiler(
            TEMPLATE, root=TEMPLATE.parent, font_paths=self._fonts.typst, ignore_system_fonts=True
        )

    def render(self, content: DocumentContent) -> RenderedDocument:
        fitted = _Fitting(self._fonts)
        inputs = {"document": json.dumps(fitted.fields_of(content))}
        uncovered = tuple(sorted(fitted.uncovered))
        try:
            return RenderedDocument(self._compile(inputs, conforms=True), uncovered)
        except typst.TypstError as error:
            # The standard forbids everything that a font cannot show, such as a mark that fits no
            # letter.
            return RenderedDocument(self._compile(inputs, conforms=False), uncovered, str(error.message))

    def _compile(self, inputs: dict[str, str], *, conforms: bool) -> bytes:
        # With a fixed timestamp, rendering a document twice gives the same bytes.
        pdf = self._compiler.compile(
            format="pdf", sys_inputs=inputs, pdf_standards=["ua-1"] if conforms else [], timestamp=0
        )
        assert isinstance(pdf, bytes)
        return pdf


class _Fitting:
    """Fits the texts of a document to the fonts, and collects the characters they do not cover."""

    def __init__(self, fonts: FontLibrary) -> None:
        self._fonts = fonts
        self.uncovered = set[int]()

    def fields_of(self, content: DocumentContent) -> dict[str, object]:
        """Return the fields that the template reads."""
        return {
            "lang": content.locale.value,
            "title": self._fit(content.title),
            "families": self._fonts.choose_families(_texts(content), country=content.country),
            "labels": {name: self._fit(text) for name, text in asdict(content.labels).items()},
            "tickets": [
                {
                    **{name: self._fit(text) for name, text in asdict(ticket.texts).items()},
                    "qr": draw_qr(ticket.code),
                    "alt": self._fitted(ticket.alt).text,
                }
                for ticket in content.tickets
            ],
        }

    def _fit(self, text: str) -> dict[str, object]:
        fitted = self._fitted(text)
        return {"text": fitted.text, "rtl": fitted.is_rtl}

    def _fitted(self, text: str) -> FittedText:
        fitted = self._fonts.fit(text)
        self.uncovered |= fitted.uncovered
        return fitted


def _texts(content: DocumentContent) -> Iterator[str]:
    yield content.title
    for ticket in content.tickets:
        yield from asdict(ticket.texts).values()
