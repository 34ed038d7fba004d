"""Documents conform to PDF/UA-1 according to veraPDF."""

from pathlib import Path

from tests.support.ticket_documents import make_content, require_noto_fonts
from tests.support.verapdf import validate_ua1
from tickets.documents.fonts import SYSTEM_FOLDERS
from tickets.documents.render import Renderer

NAMES = (
    *("Zoë Łukasiewicz", "Юлия Ёжикова", "محمد عبد الله", "שלום כהן", "山田 太郎 简体 한국어", "สมชาย ใจดี"),
    *("अर्जुन क्षत्रिय", "Ada 👩‍🚀 🎉", "\u0301\u0302", "A\ufdd0", "W" * 200),
)


def test_documents_with_any_name_are_valid_pdf_ua(tmp_path: Path) -> None:
    require_noto_fonts()
    renderer = Renderer(SYSTEM_FOLDERS)
    for number, name in enumerate(NAMES):
        content = make_content(holder=name, concert=name, count=2)
        (tmp_path / f"{number}.pdf").write_bytes(renderer.render(content).pdf)
    (tmp_path / "bare.pdf").write_bytes(Renderer([]).render(make_content()).pdf)
    # A validator that accepts everything would be noticed here.
    untagged = renderer.render(make_content()).pdf.replace(b"/StructTreeRoot", b"/StructTreeToor")
    (tmp_path / "untagged.pdf").write_bytes(untagged)

    expected = {f"{number}.pdf": "PASS" for number in range(len(NAMES))}
    assert validate_ua1(sorted(tmp_path.iterdir())) == expected | {"bare.pdf": "PASS", "untagged.pdf": "FAIL"}
