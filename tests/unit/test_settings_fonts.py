"""Folders with fonts for documents."""

import logging
from pathlib import Path

import pytest

from domain.concerts import Concert
from domain.orders import Order
from domain.tickets.documents import DocumentId, TicketDocument
from domain.tickets.ticket import Ticket
from settings import Settings, SettingsError
from tests.support.shop import TICKET_KEYS
from tests.support.ticket_documents import require_noto_fonts
from tickets.documents import library
from tickets.documents.fonts import SYSTEM_FOLDERS, FontLibrary, is_rtl, missing_packages


def test_font_folders_are_read_and_must_exist(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    assert Settings.from_env({"ONSALE_FONT_DIRS": f"{tmp_path}/a {tmp_path}"}).font_dirs == (tmp_path / "a", tmp_path)
    with pytest.raises(SettingsError) as refused:
        Settings.from_env({"ONSALE_FONT_DIRS": f"{tmp_path}/b"})
    assert str(refused.value) == f"ONSALE_FONT_DIRS contains '{tmp_path}/b', which is not a folder on this machine"


def test_missing_fonts_are_named_by_their_packages(tmp_path: Path) -> None:
    assert missing_packages([tmp_path]) == ["fonts-noto-core", "fonts-noto-cjk", "fonts-noto-color-emoji"]
    (tmp_path / "noto").mkdir()
    (tmp_path / "noto" / "NotoSansCJK-Regular.ttc").touch()
    assert missing_packages([tmp_path / "none", tmp_path]) == ["fonts-noto-core", "fonts-noto-color-emoji"]


class NoCodes:
    async def sign_code(self, order: Order, ticket: Ticket, concert: Concert) -> str | None:
        return None


class NoDocuments:
    async def read(self, document_id: DocumentId) -> bytes | None:
        return None

    async def write(self, document: TicketDocument) -> None:
        pass


async def test_missing_fonts_are_logged_at_startup(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(library, "SYSTEM_FOLDERS", ())
    with caplog.at_level(logging.WARNING):
        async with library.open_library(NoCodes(), NoDocuments(), [tmp_path]):
            pass
    assert [record.getMessage() for record in caplog.records] == [
        f"ONSALE_FONT_DIRS contains {tmp_path}, which has no fonts",
        "some names will show boxes on tickets: install the fonts of fonts-noto-core, fonts-noto-cjk,"
        " fonts-noto-color-emoji, or set ONSALE_FONT_DIRS",
    ]


def test_file_that_is_not_a_font_does_no_harm(tmp_path: Path) -> None:
    (tmp_path / "broken.ttf").write_bytes(b"not a font")
    assert FontLibrary([tmp_path, tmp_path / "missing"]).fit("Ada").text == "Ada"


@pytest.mark.parametrize(
    ("text", "expected"),
    [("Ada", False), ("محمد Ada", True), ("Ada محمد", False), ("12 שלום", True), ("123", False), ("", False)],
)
def test_direction_follows_the_first_letter(text: str, expected: bool) -> None:
    assert is_rtl(text) is expected


@pytest.mark.parametrize(
    ("texts", "country", "family"),
    [
        (["山田"], "DE", "Noto Sans CJK SC"),
        (["山田", "たろう"], "DE", "Noto Sans CJK JP"),
        (["山 서울"], "DE", "Noto Sans CJK KR"),
        (["山田"], "JP", "Noto Sans CJK JP"),
        (["山田"], "TW", "Noto Sans CJK TC"),
    ],
)
def test_chinese_characters_have_the_shape_of_their_country(texts: list[str], country: str, family: str) -> None:
    require_noto_fonts()
    families = FontLibrary(SYSTEM_FOLDERS).choose_families(texts, country=country)
    assert [name for name in families if "CJK" in name] == [family]


def test_secrets_for_different_purposes_differ() -> None:
    assert len({*TICKET_KEYS.secrets_for(b"a"), *TICKET_KEYS.secrets_for(b"b")}) == 2
