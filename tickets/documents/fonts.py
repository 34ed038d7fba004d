"""The fonts of documents, and the characters that they can show.

Folders are searched for fonts only once, because that takes 200 ms for Debian's Noto fonts. A
document can be made on every machine: Typst includes fonts for European languages, and a character
that no font covers is shown as a box.
"""

import re
import sys
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import typst
import uharfbuzz

from domain.ids import fingerprint
from domain.text.characters import IGNORABLE

SYSTEM_FOLDERS = (Path("/usr/share/fonts"), Path("/usr/local/share/fonts"))
SUFFIXES = frozenset({".ttf", ".otf", ".ttc", ".otc"})
BOX = "□"
"""Replaces a character that no font covers."""

PACKAGES = {
    "fonts-noto-core": "NotoSans-Regular",
    "fonts-noto-cjk": "NotoSansCJK-Regular",
    "fonts-noto-color-emoji": "NotoColorEmoji",
}
"""The Debian packages that cover the scripts of nearly all names, each with one of its files."""

_FIRST = ("Noto Sans", "DejaVu Sans", "Libertinus Serif")
_SCRIPTS = (
    "Noto Sans Arabic",
    "Noto Sans Hebrew",
    "Noto Sans Devanagari",
    "Noto Sans Bengali",
    "Noto Sans Tamil",
    "Noto Sans Thai",
    "Noto Sans Armenian",
    "Noto Sans Georgian",
    "Noto Sans Symbols2",
    "Noto Color Emoji",
)
# Typst does not say where its own fonts are, so their characters cannot be read from the files.
# These are the characters of the European languages, and the box.
_BUILT_IN = (
    *((0x20, 0x7E), (0xA0, 0x377), (0x38E, 0x3A1), (0x3A3, 0x484), (0x48A, 0x4FF), (0x1E00, 0x1EFF)),
    *((0x2010, 0x2040), (0x20A0, 0x20BF), (0x25A0, 0x25FF)),
)
_INVISIBLE = re.compile(f"[{IGNORABLE}]")
_TURNING = re.compile(r"[\u202a-\u202e\u2066-\u2069]")
_KANA = re.compile(r"[\u3041-\u30ff]")
_HANGUL = re.compile(r"[\uac00-\ud7a3]")
# The same code point has a different shape in each of these countries.
_CJK_OF_COUNTRY = {"JP": "JP", "KR": "KR", "TW": "TC", "HK": "HK", "MO": "HK"}


@dataclass(frozen=True, slots=True)
class FittedText:
    """A text as a document shows it: a font covers every visible character."""

    text: str
    is_rtl: bool
    uncovered: frozenset[int] = frozenset()
    """The code points that the text shows as boxes."""


class FontLibrary:
    """The fonts in the folders, in addition to those that Typst includes."""

    def __init__(self, folders: Sequence[Path]) -> None:
        self.typst = typst.Fonts(
            include_system_fonts=False,
            include_embedded_fonts=True,
            font_paths=[str(folder) for folder in folders if folder.is_dir()],
        )
        self._families = frozenset(self.typst.families())
        self._covered = uharfbuzz.Set({code for first, last in _BUILT_IN for code in range(first, last + 1)})
        for font in self.typst.fonts():
            if font.path is not None:
                face = uharfbuzz.Face(uharfbuzz.Blob.from_file_path(font.path), font.index)
                self._covered.update(face.unicodes)

    def fit(self, text: str) -> FittedText:
        """Return the text without control characters, and with boxes for characters that no font
        covers.
        """
        text = unicodedata.normalize("NFC", _TURNING.sub("", text))
        uncovered = set[int]()
        fitted = "".join(self._fit(character, uncovered) for character in text)
        return FittedText(fitted, is_rtl(fitted), frozenset(uncovered))

    def _fit(self, character: str, uncovered: set[int]) -> str:
        if unicodedata.category(character) in ("Cc", "Zl", "Zp"):
            return " "
        if ord(character) in self._covered:
            return character
        if _INVISIBLE.match(character):
            return ""
        uncovered.add(ord(character))
        return BOX

    def choose_families(self, texts: Iterable[str], *, country: str) -> list[str]:
        """Return the families for the texts, best first. Typst falls back on all other fonts."""
        wanted = (_FIRST[0], *_SCRIPTS, f"Noto Sans CJK {_cjk_variant(' '.join(texts), country)}", *_FIRST[1:])
        return [family for family in wanted if family in self._families]


def missing_packages(folders: Sequence[Path]) -> list[str]:
    """Return the Debian packages whose fonts are missing from all folders."""
    stems = {file.stem for folder in folders for file in folder.rglob("*") if file.suffix in SUFFIXES}
    return [package for package, stem in PACKAGES.items() if stem not in stems]


def fonts_digest(folders: Sequence[Path]) -> str:
    """Return a fingerprint of the fonts in the folders, by their names and sizes, and of Typst's
    built-in fonts. It is the same on machines that have the same fonts in different places.
    """
    files = {file for folder in folders for file in folder.rglob("*") if file.suffix in SUFFIXES and file.is_file()}
    return fingerprint("fonts", version("typst"), *sorted(f"{file.name} {file.stat().st_size}" for file in files))


def has_fonts(folder: Path) -> bool:
    return any(file.suffix in SUFFIXES for file in folder.rglob("*"))


def is_rtl(text: str) -> bool:
    """Return whether the first letter with a direction is written from right to left."""
    for character in text:
        match unicodedata.bidirectional(character):
            case "L":
                return False
            case "R" | "AL":
                return True
    return False


def _cjk_variant(text: str, country: str) -> str:
    if _KANA.search(text):
        return "JP"
    if _HANGUL.search(text):
        return "KR"
    return _CJK_OF_COUNTRY.get(country, "SC")


if __name__ == "__main__":
    # `make test` installs them.
    sys.stdout.write("".join(f" {package}" for package in missing_packages(SYSTEM_FOLDERS)))
