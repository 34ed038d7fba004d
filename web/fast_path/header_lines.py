"""The header lines of answers on the fast path. Most answers differ only in the length of the body
and in the request id, so the lines around these are written once.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from web.graphql import CONTENT_LENGTH, JsonFormat
from web.middleware import REQUEST_ID, add_default_headers

MAX_KINDS = 64
"""The number of kept kinds of lines. There are two media types, with four choices each."""


@dataclass(frozen=True, slots=True)
class HeaderLines:
    """The lines of answers in one format."""

    before_length: bytes
    before_id: bytes

    def complete(self, length: int, request_id: str) -> bytes:
        return b"%b%d%b%b\r\n" % (self.before_length, length, self.before_id, request_id.encode())


@lru_cache(maxsize=MAX_KINDS)
def make_header_lines(format_: JsonFormat, *, is_secure: bool) -> HeaderLines:
    """Return the lines of answers in this format."""
    headers = add_default_headers([*format_.headers, (CONTENT_LENGTH, b"")], is_secure=is_secure)
    length, id_ = CONTENT_LENGTH + b": ", REQUEST_ID + b": "
    before, _, after = write_headers(headers).partition(length)
    return HeaderLines(before + length, after + id_)


def write_headers(headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    return b"".join([b"%b: %b\r\n" % header for header in headers])
