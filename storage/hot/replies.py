"""What a script replies: a word, checked against those that the caller names, and behind it texts and moments."""

from datetime import UTC, datetime

from storage.scripts import Script, ScriptReplyError


def expect(script: Script, word: str, *named: str) -> str:
    """Return the word. Raises ScriptReplyError if the caller does not name it."""
    if word not in named:
        raise ScriptReplyError(script.name, word)
    return word


def text(value: bytes | int, *, errors: str = "strict") -> str:
    """Return a text of ours. `errors` is for texts of other authors, which may not be UTF-8."""
    return value.decode(errors=errors) if isinstance(value, bytes) else str(value)


def time(ms: bytes | int | str) -> datetime:
    """Return the moment of a Unix time in milliseconds."""
    return datetime.fromtimestamp(int(ms) / 1000, UTC)
