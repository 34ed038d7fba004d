"""The texts of the pages: three languages with the same keys, and the same values in each text."""

import re
from pathlib import Path

import orjson
import pytest

ROOT = Path(__file__).parents[2]
SOURCES = ROOT / "frontend" / "src"
LANGUAGES = ("en", "de", "ar")
FOLDERS = sorted(path.parent for path in SOURCES.rglob("messages/en.json"))
# The categories into which a language divides numbers (CLDR).
PLURALS = {
    "en": {"one", "other"},
    "de": {"one", "other"},
    "ar": {"zero", "one", "two", "few", "many", "other"},
}


def texts(folder: Path, language: str) -> dict[str, str]:
    read: dict[str, str] = orjson.loads((folder / f"{language}.json").read_bytes())
    return read


class Message:
    """An ICU message: the names of its values, and the categories of each plural in it."""

    def __init__(self, text: str) -> None:
        self.values: set[str] = set()
        self.plurals: list[set[str]] = []
        self._rest = text
        self._read_words()
        assert not self._rest, f"a closing brace without an opening one: {text}"

    def _read_words(self) -> None:
        while self._rest and not self._rest.startswith("}"):
            if self._rest.startswith("{"):
                self._read_value()
            else:
                self._rest = self._rest[1:]

    def _read_value(self) -> None:
        name, kind, self._rest = self._match(r"\{\s*(\w+)\s*(?:,\s*(\w+)\s*)?,?\s*(.*)").groups()
        self.values.add(name)
        branches = set()
        while kind in {"plural", "select"} and not self._rest.startswith("}"):
            branch, self._rest = self._match(r"(=?\w+)\s*\{(.*)").groups()
            branches.add(branch)
            self._read_words()
            self._rest = self._match(r"\}\s*(.*)")[1]
        if kind == "plural":
            self.plurals.append(branches)
        self._rest = self._match(r"[^{}]*\}(.*)")[1]

    def _match(self, pattern: str) -> re.Match[str]:
        found = re.match(pattern, self._rest, re.DOTALL)
        assert found, f"not a message: {self._rest}"
        return found


def test_pages_with_texts_are_found() -> None:
    assert SOURCES / "messages" in FOLDERS
    assert len(FOLDERS) > 2


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: str(folder.relative_to(SOURCES)))
@pytest.mark.parametrize("language", LANGUAGES[1:])
def test_each_language_has_the_same_keys(folder: Path, language: str) -> None:
    assert list(texts(folder, language)) == list(texts(folder, "en"))


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: str(folder.relative_to(SOURCES)))
def test_each_text_has_the_same_values_in_each_language(folder: Path) -> None:
    english = texts(folder, "en")
    for language in LANGUAGES[1:]:
        differing = {
            key: text
            for key, text in texts(folder, language).items()
            if Message(text).values != Message(english[key]).values or not text.strip()
        }
        assert differing == {}, language


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: str(folder.relative_to(SOURCES)))
@pytest.mark.parametrize("language", LANGUAGES)
def test_each_plural_has_the_branches_of_its_language(folder: Path, language: str) -> None:
    wrong = {
        key: branches
        for key, text in texts(folder, language).items()
        for branches in Message(text).plurals
        if {branch for branch in branches if not branch.startswith("=")} != PLURALS[language]
    }
    assert wrong == {}


def test_plurals_and_values_of_a_message_are_read() -> None:
    message = Message("{name}: {count, plural, =0 {none} one {# of {total, number}} other {# of {total}}}!")
    assert message.values == {"name", "count", "total"}
    assert message.plurals == [{"=0", "one", "other"}]


def test_no_page_has_a_text_outside_of_its_messages() -> None:
    """Words between tags would be shown in one language only."""
    found = {
        str(path.relative_to(SOURCES)): words
        for path in SOURCES.rglob("*.tsx")
        if "graphiql" not in path.parts
        if (words := re.findall(r">\s*([A-Z][a-z]+ [a-z]+[^<{}=;]*)<", path.read_text()))
    }
    assert found == {}
