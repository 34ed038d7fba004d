"""Finds out how a signed body was changed on the way, by undoing the usual changes."""

import codecs
import json
import zlib
from collections.abc import Callable, Iterator

MAX_BYTES = 65_536
"""The size of the largest body that is examined. Stripe's events are smaller than 20 KiB."""

_GZIP_START = b"\x1f\x8b"
_GZIP_BITS = 31
_JSON_STYLES: tuple[tuple[int | None, tuple[str, str]], ...] = (
    # Stripe writes events with an indent of two spaces; the sandbox and some tools do not.
    (2, (",", ": ")),
    (None, (",", ":")),
    (None, (", ", ": ")),
)


def find_reencoding(body: bytes, is_signed: Callable[[bytes], bool]) -> str | None:
    """Return what was done to the body, or None if undoing the usual changes does not help."""
    if len(body) > MAX_BYTES:
        return None
    undone: list[str] = []
    for change, undo in _CHANGES:
        before = undo(body)
        if before is not None and before != body:
            body = before
            undone.append(change)
            if is_signed(body):
                return " and ".join(undone)
    if any(is_signed(candidate) for candidate in _rewritten(body)):
        return " and ".join([*undone, "its JSON was re-encoded"])
    return None


def _decompressed(body: bytes) -> bytes | None:
    if not body.startswith(_GZIP_START):
        return None
    try:
        return zlib.decompressobj(_GZIP_BITS).decompress(body, MAX_BYTES)
    except zlib.error:
        return None


def _without_bom(body: bytes) -> bytes:
    return body.removeprefix(codecs.BOM_UTF8)


def _with_lf(body: bytes) -> bytes:
    return body.replace(b"\r\n", b"\n")


_CHANGES: tuple[tuple[str, Callable[[bytes], bytes | None]], ...] = (
    ("it was compressed with gzip", _decompressed),
    ("a byte order mark was added to it", _without_bom),
    ("its line ends were changed to CRLF", _with_lf),
)
"""The changes, in the order in which they are undone."""


def _rewritten(body: bytes) -> Iterator[bytes]:
    """Yield the body re-encoded in each way in which JSON is usually written."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return
    for indent, separators in _JSON_STYLES:
        for is_ascii in (False, True):
            try:
                written = json.dumps(value, indent=indent, separators=separators, ensure_ascii=is_ascii)
                yield written.encode()
            except (ValueError, RecursionError):
                # Such as half of a surrogate pair.
                continue
