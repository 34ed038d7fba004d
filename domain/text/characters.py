"""The rules for all texts in the schema. Each text is either a line or a block of lines.

Texts are stored in NFC, without leading or trailing whitespace. A line contains no line breaks, no
tabs, and no invisible characters that would reverse or hide the text around them, except where a
script or an emoji needs them. A block may also contain line breaks and some more invisible
characters. Both need a visible character unless they may be empty.
"""

import re
import unicodedata
from collections.abc import Iterator

from domain.inputs.problems import FieldProblem, InputRule

IGNORABLE = (
    r"\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f"
    r"\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufff8"
    r"\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
"""Unicode's default-ignorable characters, including code points that are not assigned yet."""
_NEVER = (
    r"\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f"  # control characters
    r"\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff"  # surrogates and noncharacters
    r"\u202a-\u202e\u2065-\u206f"  # embeddings, overrides and isolates, which can reverse the text after them
    r"\u034f\u115f\u1160\u17b4\u17b5\u3164\ufeff\uffa0\ufff0-\ufffb"  # fillers, the byte order mark and annotations
    r"\U00013430-\U0001343f\U00016fe4\U0001bca0-\U0001bca3\U0001d159\U0001d173-\U0001d17a"
    r"\U000e0000-\U000e00ff\U000e01f0-\U000e0fff"
)
_NOT_IN_A_LINE = (
    r"\t\n\r\u2028\u2029"
    r"\u061c\u200e\u200f"  # direction marks, which can reverse a price or a bracket next to the name
    r"\u00ad\u180e\u200b\u2060-\u2064\u2800"  # invisible breaks, joiners and blanks
    r"\u180b-\u180d\u180f\u200c\u200d\ufe00-\ufe0f\U000e0100-\U000e01ef"  # see _IN_PLACE
)
# A flag such as Scotland's is a black flag followed by tags. Tags without a flag could hide text.
_FLAG = r"\U0001f3f4[\U000e0030-\U000e0039\U000e0061-\U000e007a]{1,6}\U000e007f"
_MONGOLIAN = r"\u1807\u1820-\u18aa"
_JOINED = (  # scripts that use joiners: Arabic and related scripts, and scripts of India and Southeast Asia
    r"\u0600-\u077f\u07c0-\u07fa\u0840-\u08ff\u0900-\u0dff\u0f00-\u109f\u1780-\u17d3\u1900-\u1aad\u1b00-\u1c4f"
    r"\u1cd0-\u1cff\ua800-\ua82c\ua840-\ua8ff\ua930-\uaa7f\uaae0-\uaaf6\uabc0-\uabf9\ufb50-\ufdcf\ufdf0-\ufdff"
    r"\ufe70-\ufefc\U00010a00-\U00010a5f\U00010ac0-\U00010aff\U00010d00-\U00010d3f\U00010f30-\U00010fdf"
    r"\U00011000-\U00011fff\U0001e900-\U0001e95f"
)
_HALVING = r"\u094d\u09cd\u0a4d\u0acd\u0b4d\u0bcd\u0c4d\u0ccd\u0d4d\u0dca"  # viramas; a joiner shows a half letter
_SYMBOLS = r"\u00a9\u00ae\u203c\u2049\u20e3\u2100-\u27ff\u2900-\u2bff\u3030\u303d\u3297\u3299\U0001f000-\U0001faff"
_IDEOGRAPHS = r"\u3001-\u303f\u3400-\u9fff\uf900-\ufaff\uff01-\uff60\U00020000-\U0003ffff"
_IN_PLACE = "|".join(
    (
        rf"(?<=[{_JOINED}{_MONGOLIAN}])[\u200c\u200d](?=[{_JOINED}{_MONGOLIAN}])",
        rf"(?<=[{_HALVING}])\u200d",
        rf"(?<=[{_SYMBOLS}\ufe0f])\u200d(?=[{_SYMBOLS}])",
        rf"(?<=[{_SYMBOLS}])[\ufe00\ufe0e\ufe0f]",
        r"(?<=[0-9#*])\ufe0f(?=\u20e3)",
        rf"(?<=[{_IDEOGRAPHS}])[\ufe00-\ufe02\U000e0100-\U000e01ef]",
        r"(?<=[\u1000-\u109f\ua840-\ua877\ua9e0-\ua9fe\uaa60-\uaa7f])\ufe00",
        rf"(?<=[{_MONGOLIAN}])[\u180b-\u180d\u180f]",
        rf"(?<=[{_MONGOLIAN}\u180b-\u180d\u180f])\u180e(?=[{_MONGOLIAN}])",
    )
)
"""Matches invisible characters where they change how text is displayed: joiners inside words and
emoji, and selectors for variants of the preceding character.
"""
_SUSPECT = re.compile(f"[{_NEVER}{_NOT_IN_A_LINE}]")
"""Matches every character that may be forbidden. Most texts contain none of them, so they need no
second, slower search.
"""
_BAD_IN_BLOCK = re.compile(f"{_FLAG}|([{_NEVER}])")
_BAD_IN_LINE = re.compile(f"{_FLAG}|{_IN_PLACE}|([{_NEVER}{_NOT_IN_A_LINE}])")
MAX_LINE = 300
MAX_BLOCK = 5_000
"""No line or block in the schema may be longer than these limits."""
MAX_MARKS = 30
"""The maximum number of marks on one letter. It is the limit of Unicode's stream-safe text format,
which is far more than any language needs.
"""
_PARTS = 4
"""The maximum number of characters that NFC composes into one letter of a valid text."""
_BREAKS = re.compile("\r\n|[\r\x85\u2028\u2029]")
_LINE_BREAKS = "\n\r\x0b\x0c\x85\u2028\u2029"
_TURNING = re.compile(r"[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]")
# Blank characters that Unicode categorizes as letters or symbols: Hangul fillers and the Braille
# blank.
_BLANK = frozenset("\u115f\u1160\u3164\uffa0\u2800")
_VISIBLE = frozenset("LNPS")


def clean_line(text: str) -> str:
    """Return a line as it is stored. A line that is too long for every field is only trimmed."""
    return _compose(text.strip(), MAX_LINE)


def clean_block(text: str) -> str:
    """Return a block as it is stored, with one line feed for every line break."""
    return _compose(_BREAKS.sub("\n", text).strip(), MAX_BLOCK)


def plain_line(text: str) -> str:
    """Return the text without the characters that a line may not contain.

    Used for texts from other systems, such as names in tokens.
    """
    return clean_line(_BAD_IN_LINE.sub(lambda found: "" if found[1] else found[0], text))


def line_problems(path: str, text: str, *, longest: int, may_be_empty: bool = False) -> Iterator[FieldProblem]:
    """Yield the first problem with a line, if any."""
    yield from _problems(path, clean_line(text), _BAD_IN_LINE, longest, may_be_empty=may_be_empty)


def block_problems(path: str, text: str, *, longest: int, may_be_empty: bool = False) -> Iterator[FieldProblem]:
    """Yield the first problem with a block of lines, if any."""
    yield from _problems(path, clean_block(text), _BAD_IN_BLOCK, longest, may_be_empty=may_be_empty)


def key_text_problems(path: str, text: str, *, longest: int) -> Iterator[FieldProblem]:
    """Yield the first problem with a key chosen by a client, if any. Keys are compared exactly as
    sent.
    """
    yield from _problems(path, text, _BAD_IN_LINE, longest, may_be_empty=False)


def _problems(
    path: str, text: str, bad: re.Pattern[str], longest: int, *, may_be_empty: bool
) -> Iterator[FieldProblem]:
    if len(text) > longest:
        message = f"has {len(text)} characters; at most {longest} are allowed"
        yield FieldProblem(path, message, InputRule.TOO_LONG, maximum=longest, given=len(text))
    elif not text.strip():
        if not may_be_empty:
            yield FieldProblem(path, "must not be empty", InputRule.EMPTY)
    elif (at := _marks_at(text)) is not None:
        message = f"has more than {MAX_MARKS} marks on one letter at character {at + 1}; remove some"
        yield FieldProblem(path, message, InputRule.TOO_MANY_MARKS, maximum=MAX_MARKS, position=at + 1)
    elif (at := _first(bad, text)) is not None:
        yield FieldProblem(path, _describe(text[at], at + 1), InputRule.FORBIDDEN_CHARACTER, position=at + 1)
    elif not any(map(_is_visible, text)):
        yield FieldProblem(path, "has only invisible characters; write letters or digits", InputRule.INVISIBLE)


def _first(bad: re.Pattern[str], text: str) -> int | None:
    if not _SUSPECT.search(text):
        return None
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
        return f"contains {named} at character {position}, which can reverse the text around it; remove it"
    if unicodedata.category(letter) == "Cf" or not _CONTROL.match(letter):
        return f"contains {named} at character {position}, which is invisible; remove it"
    return f"contains {named} at character {position}, a control character; remove it"


def _compose(text: str, longest: int) -> str:
    """Return the text in NFC. A text that is too long or has too many marks in a row is not
    changed, because the time to normalize a run of marks grows with the square of its length.
    """
    if text.isascii() or len(text) > longest * _PARTS or _marks_at(text) is not None:
        return text
    return unicodedata.normalize("NFC", text)


def _marks_at(text: str) -> int | None:
    """Return the index of the first mark that exceeds the maximum, or None."""
    if text.isascii():
        return None
    run = 0
    for index, letter in enumerate(text):
        run = run + 1 if unicodedata.category(letter)[0] == "M" else 0
        if run > MAX_MARKS:
            return index
    return None
