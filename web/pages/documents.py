"""The HTML document of the shop, as `npm run build` writes it, and the responses with it."""

import gzip
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from starlette.datastructures import Headers
from starlette.responses import Response

from web.content_negotiation import accepts_encoding
from web.middleware import COMPRESSED_FROM_BYTES, COMPRESSION_LEVEL

_END_OF_BODY = b"</body>"


@dataclass(frozen=True, slots=True)
class Document:
    """An HTML document, compressed once for all requests."""

    content: bytes
    compressed: bytes | None
    """The content in gzip. None if it is too short to be compressed."""
    tag: str
    """Its entity tag. It is weak, because both encodings have the same one."""


def make_document(content: bytes) -> Document:
    is_long = len(content) >= COMPRESSED_FROM_BYTES
    compressed = gzip.compress(content, COMPRESSION_LEVEL, mtime=0) if is_long else None
    return Document(content, compressed, f'W/"{hashlib.sha256(content).hexdigest()[:32]}"')


def insert_in_body(document: Document, element: bytes) -> Document:
    """Return the document with an element at the end of its body."""
    before, end, after = document.content.rpartition(_END_OF_BODY)
    return make_document(before + element + end + after) if end else document


class BuiltDocument:
    """The document in a file. A new build replaces it without a restart."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._known: tuple[tuple[int, int], Document] | None = None

    def read(self) -> Document | None:
        """Return the document, or None if the pages are not built."""
        try:
            status = self._file.stat()
            version = (status.st_mtime_ns, status.st_size)
            if self._known is None or self._known[0] != version:
                self._known = (version, make_document(self._file.read_bytes()))
        except OSError:
            return None
        return self._known[1]


def respond_with(document: Document, request: Headers, headers: Mapping[str, str], *, status: int = 200) -> Response:
    """Return the response that contains the document, or 304 if the client has it already."""
    sent = {"ETag": document.tag, "Vary": "Accept-Encoding", **headers}
    if status == 200 and _is_known(document.tag, request):
        return Response(status_code=304, headers=sent)
    if document.compressed is not None and accepts_encoding(request.get("accept-encoding", ""), "gzip"):
        return Response(document.compressed, status, {**sent, "Content-Encoding": "gzip"}, "text/html")
    return Response(document.content, status, sent, "text/html")


def _is_known(tag: str, request: Headers) -> bool:
    """Compare weakly, as RFC 9110 (section 13.1.2) demands for `If-None-Match`."""
    given = request.get("if-none-match", "")
    opaque = tag.removeprefix("W/")
    return given.strip() == "*" or opaque in (part.strip().removeprefix("W/") for part in given.split(","))
