"""Search words, which find a concert regardless of how its name is written.

Words are folded: differences in compatibility forms, marks and case are removed, so `bjork` finds
Björk and `strasse` finds Straße. `Guns N' Roses` has the words guns, n, roses; `AC/DC` has ac, dc
and acdc. Every word of a query must be a prefix of one of the concert's words. Words that consist
only of symbols count only if the query has no other words. In scripts without spaces, every suffix
of a word is also a word.
"""

import re
import unicodedata

from domain.text.characters import IGNORABLE

SEARCH_FORM = 2
"""Increase this number when the rules for search words or city keys change. The next start then
recomputes them for all concerts.
"""
MAX_QUERY = 200
MAX_QUERY_WORDS = 10
_MAX_WORD = 32
_UNMARKED = str.maketrans(
    {"ø": "o", "ł": "l", "đ": "d", "ħ": "h", "\u0131": "i", "æ": "ae", "œ": "oe", "þ": "th", "ð": "d"}
)
"""Replacements for letters that Unicode does not decompose."""
_WITHOUT_SPACES = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\U00020000-\U0003ffff]"
)
_IGNORED = re.compile(f"[{IGNORABLE}]")
_PASTED = re.compile(
    "[\u00ad\u034f\u061c\u180b-\u180f\u200b-\u200f\u2060-\u2064\ufe00-\ufe0f\ufeff\U000e0100-\U000e01ef]"
)
_WORD_LETTERS = frozenset("LMN")
"""The first letters of the Unicode categories for letters, marks and numbers."""


def fold(text: str) -> str:
    """Return the text without differences in compatibility forms, marks and case."""
    plain = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", _IGNORED.sub("", text)).casefold())
    return "".join(letter for letter in plain if not unicodedata.combining(letter)).translate(_UNMARKED)


def name_key(text: str) -> str:
    """Return a key that is equal for names that differ only in compatibility forms, case and
    spaces.
    """
    return " ".join(unicodedata.normalize("NFKC", _IGNORED.sub("", text)).casefold().split())


def city_key(text: str) -> str:
    """Return a key that is equal for city names that differ only in compatibility forms, marks,
    case, symbols and spaces.
    """
    tokens = fold(text).split()
    return "".join(part for token in tokens for part in _split_at_symbols(token)) or "".join(tokens)


def without_pasted(text: str) -> str:
    """Return a query without the invisible characters that are often copied along with text."""
    return _PASTED.sub("", text)


def index_words(*texts: str) -> tuple[str, ...]:
    """Return the sorted search words of the texts."""
    found: set[str] = set()
    for token in fold(" ".join(texts)).split():
        parts = _parts(token)
        found.update(parts)
        found.add("".join(parts)[:_MAX_WORD])
        for part in parts:
            if _WITHOUT_SPACES.search(part):
                found.update(part[start : start + _MAX_WORD] for start in range(len(part)))
    return tuple(sorted(found))


def query_words(text: str) -> tuple[str, ...]:
    """Return the distinct words of a query, except those that are prefixes of its other words."""
    tokens = fold(text).split()
    words = {part[:_MAX_WORD] for token in tokens for part in _split_at_symbols(token)}
    words = words or {token[:_MAX_WORD] for token in tokens}
    return tuple(sorted(word for word in words if not any(other != word and other.startswith(word) for other in words)))


def _parts(token: str) -> list[str]:
    """Return the words of a token, which has no spaces. A token that consists only of symbols, such
    as `!!!`, is one word.
    """
    return [part[:_MAX_WORD] for part in _split_at_symbols(token) or [token]]


def _split_at_symbols(token: str) -> list[str]:
    """Return the parts of a token between its symbols, or an empty list if it has only symbols."""
    return "".join(letter if unicodedata.category(letter)[0] in _WORD_LETTERS else " " for letter in token).split()
