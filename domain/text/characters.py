"""ONE rule for every text of the schema: a line, or a block of lines.

Texts are stored in NFC and without white space around them. A line has no line break, no tab and
nothing invisible that would turn or hide what is printed around it; a block may have line breaks,
and the invisible characters that some scripts need. Both need something visible, unless they may
be empty.
"""

import re
import unicodedata
from collections.abc import Iterator

from domain.errors import FieldProblem

# A flag such as Scotland's is a black flag and tags; without the flag, tags hide text.
_FLAG = r"\U0001f3f4[\U000e0020-\U000e007e]+\U000e007f"
_NEVER = (
    r"\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f"  # control characters
    r"\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff"  # halves of a character, and no characters at all
    r"\u202a-\u202e\u2066-\u206f"  # embeddings, overrides and isolates: they turn what follows
    r"\ufeff\ufff9-\ufffb\U000e0001\U000e0020-\U000e007f"
)
_NOT_IN_A_LINE = (
    r"\t\n\r\u2028\u2029"
    r"\u061c\u200e\u200f"  # direction marks: they turn a price or a bracket beside the name
    r"\u00ad\u180e\u200b\u2060-\u2064"  # breaks and joins that no one sees
)
_BAD_IN_BLOCK = re.compile(f"{_FLAG}|([{_NEVER}])")
_BAD_IN_LINE = re.compile(f"{_FLAG}|([{_NEVER}{_NOT_IN_A_LINE}])")
MAX_LINE = 300
MAX_BLOCK = 5_000
"""No line and no block of the schema may be longer."""
MAX_MARKS = 30
"""Most marks on one letter: the bound of Unicode's stream-safe text, far above every language."""
_PARTS = 4
"""Most parts that one letter of a valid text is made of."""
_BREAKS = re.compile("\r\n|[\r\x85\u2028\u2029]")
_LINE_BREAKS = "\n\r\x0b\x0c\x85\u2028\u2029"
_TURNING = re.compile(r"[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
# Letters and symbols by their category that show nothing: fillers of Hangul, the blank of Braille.
_BLANK = frozenset("\u115f\u1160\u3164\uffa0\u2800")
_VISIBLE = frozenset("LNPS")


def clean_line(text: str) -> str:
    """Return a line as it is stored. One that no field takes is only trimmed."""
    return _compose(text.strip(), MAX_LINE)


def clean_block(text: str) -> str:
    """Return a block as it is stored; every line break is one line feed."""
    return _compose(_BREAKS.sub("\n", text).strip(), MAX_BLOCK)


def plain_line(text: str) -> str:
    """Return the text without what a line refuses, for texts of others, such as names in tokens."""
    return clean_line(_BAD_IN_LINE.sub(lambda found: "" if found[1] else found[0], text))


def line_problems(path: str, text: str, *, longest: int, may_be_empty: bool = False) -> Iterator[FieldProblem]:
    """Yield the first problem of a line, if it has one."""
    yield from _problems(path, clean_line(text), _BAD_IN_LINE, longest, may_be_empty=may_be_empty)


def block_problems(path: str, text: str, *, longest: int, may_be_empty: bool = False) -> Iterator[FieldProblem]:
    """Yield the first problem of a block of lines, if it has one."""
    yield from _problems(path, clean_block(text), _BAD_IN_BLOCK, longest, may_be_empty=may_be_empty)


def key_text_problems(path: str, text: str, *, longest: int) -> Iterator[FieldProblem]:
    """Yield the first problem of a key that a client chose; it is compared as it was sent."""
    yield from _problems(path, text, _BAD_IN_LINE, longest, may_be_empty=False)


def _problems(
    path: str, text: str, bad: re.Pattern[str], longest: int, *, may_be_empty: bool
) -> Iterator[FieldProblem]:
    if len(text) > longest:
        yield FieldProblem(path, f"has {len(text)} characters; at most {longest} are allowed")
    elif not text.strip():
        if not may_be_empty:
            yield FieldProblem(path, "must not be empty")
    elif (at := _marks_at(text)) is not None:
        yield FieldProblem(path, f"has more than {MAX_MARKS} marks on one letter at character {at + 1}; remove some")
    elif (at := _first(bad, text)) is not None:
        yield FieldProblem(path, _describe(text[at], at + 1))
    elif not any(map(_is_visible, text)):
        yield FieldProblem(path, "has only invisible characters; write letters or digits")


def _first(bad: re.Pattern[str], text: str) -> int | None:
    return next((found.start() for found in bad.finditer(text) if found[1]), None)


def _is_visible(letter: str) -> bool:
    return unicodedata.category(letter)[0] in _VISIBLE and letter not in _BLANK


def _describe(letter: str, position: int) -> str:
    if letter in _LINE_BREAKS:
        return f"contains a line break at character {position}; write one line"
    if letter == "\t":
        return f"contains a tab at character {position}; use spaces"
    named = f"U+{ord(letter):04X}"
    if name := unicodedata.name(letter, ""):
        named += f" ({name.lower()})"
    if _TURNING.match(letter):
        return f"contains {named} at character {position}, which turns the text around it; remove it"
    if unicodedata.category(letter) == "Cf":
        return f"contains {named} at character {position}, which is invisible; remove it"
    return f"contains {named} at character {position}, a control character; remove it"


def _compose(text: str, longest: int) -> str:
    """Return the text in NFC, which takes time by the square of a run of marks."""
    if text.isascii() or len(text) > longest * _PARTS or _marks_at(text) is not None:
        return text
    return unicodedata.normalize("NFC", text)


def _marks_at(text: str) -> int | None:
    """Return where a run of too many marks ends; None if there is none."""
    run = 0
    for index, letter in enumerate(text):
        run = run + 1 if unicodedata.combining(letter) else 0
        if run > MAX_MARKS:
            return index
    return None
