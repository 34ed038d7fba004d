"""Decodes the replies of scripts.

A reply begins with a word, which is checked against those that the caller expects. Texts, numbers,
times and lists follow.
"""

from datetime import UTC, datetime
from typing import cast

from storage.hot.script_client import Reply
from storage.scripts import RECORD_ORDER, Script, ScriptReplyError


def expect(script: Script, word: str, *expected: str) -> str:
    """Return the word. Raises ScriptReplyError if it is not one of the expected words."""
    if word not in expected:
        raise ScriptReplyError(script.name, word)
    return word


def text(value: bytes | int, *, errors: str = "strict") -> str:
    """Return a value as text.

    `errors` is for values written by other programs, which may not be UTF-8.
    """
    return value.decode(errors=errors) if isinstance(value, bytes) else str(value)


def optional_int(value: bytes | int) -> int | None:
    """Return a number, or None for an empty string."""
    return None if value == b"" else int(value)


def lists(reply: Reply) -> list[Reply]:
    """Return the items of a reply whose items are lists."""
    return cast(list[Reply], reply)


def time(ms: bytes | int | str) -> datetime:
    """Return the time for a Unix timestamp in milliseconds."""
    return datetime.fromtimestamp(int(ms) / 1000, UTC)


def is_recorded(word: str) -> bool:
    """Return whether the hot state has the order, given the word returned by `record_order`.

    Raises ScriptReplyError for any other word.
    """
    match word:
        case "RECORDED" | "KNOWN":
            return True
        case "UNKNOWN" | "RECOVERING":
            return False
        case _:
            raise ScriptReplyError(RECORD_ORDER.name, word)
