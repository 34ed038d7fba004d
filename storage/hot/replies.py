"""Decodes the replies of scripts.

A reply is a word, checked against those that the caller names, then texts, times and lists.
"""

from datetime import UTC, datetime
from typing import cast

from storage.hot.script_client import Reply
from storage.scripts import Script, ScriptReplyError


def expect(script: Script, word: str, *named: str) -> str:
    """Return the word. Raises ScriptReplyError if the caller does not name it."""
    if word not in named:
        raise ScriptReplyError(script.name, word)
    return word


def text(value: bytes | int, *, errors: str = "strict") -> str:
    """Return a value as text.

    `errors` is for values that other programs wrote and that may not be UTF-8.
    """
    return value.decode(errors=errors) if isinstance(value, bytes) else str(value)


def optional_int(value: bytes | int) -> int | None:
    """Return a number, or None for an empty text."""
    return None if value == b"" else int(value)


def lists(reply: Reply) -> list[Reply]:
    """Return the items of a reply whose items are lists."""
    return cast(list[Reply], reply)


def time(ms: bytes | int | str) -> datetime:
    """Return the moment of a Unix time in milliseconds."""
    return datetime.fromtimestamp(int(ms) / 1000, UTC)
