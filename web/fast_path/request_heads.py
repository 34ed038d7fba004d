"""Reads the heads of requests for the fast path, and remembers what the same bytes have meant.

A head is everything before the body. httptools parses it, as in uvicorn's protocol, and the outcome
is kept by the SHA-256 of the head. Neither the head nor its token is kept: a request has the same
bytes, so the token is found in it at the same position.
"""

import hashlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import httptools
from starlette.datastructures import Headers
from starlette.types import Scope

from auth.bearer import TokenDigest, digest_bearer
from domain.limits.recently_used import RecentlyUsed
from telemetry.operation_spans import find_traceparent
from web.fast_path.header_lines import HeaderLines, make_header_lines
from web.graphql import JsonFormat
from web.middleware import REQUEST_ID
from web.proxies import TrustedProxies
from web.request_parsing import IndexedHeaders

PATH: Final = "/graphql"
START: Final = b"POST /graphql HTTP/1.1\r\n"
"""The first line of every request on the fast path."""
END: Final = b"\r\n\r\n"
MAX_HEAD_BYTES: Final = 4_096
"""The maximum size of a head on the fast path. With a usual access token, a head takes 1.5 KB."""
MAX_BODY_BYTES: Final = 65_536
"""The maximum size of a body on the fast path. The ordinary path reads larger ones in parts."""
CAPACITY: Final = 16_384
"""The maximum number of remembered heads."""
_MAX_ENCODINGS_CHARACTERS = 256
_KEPT_ID_BYTES = 65
"""One more than a valid id has, so that an id which is too long stays invalid."""
_ELSEWHERE = frozenset({b"cookie", b"content-encoding", b"expect", b"transfer-encoding", b"upgrade"})
"""Requests with these headers are left to the ordinary path."""
_ONCE = (b"authorization", b"content-length")


@dataclass(frozen=True, slots=True)
class Peer:
    """The other end of a connection, as uvicorn reports it."""

    client: tuple[str, int] | None
    scheme: str

    @property
    def key(self) -> tuple[str | None, str]:
        return self.client[0] if self.client else None, self.scheme


@dataclass(frozen=True, slots=True)
class RequestHead:
    """The head of a request that the fast path may answer."""

    content_length: int
    authorization: slice
    """The position of the `Authorization` value in the head."""
    token: TokenDigest | None
    """The digest of the token in it, if it is well-formed."""
    request_id: bytes
    """The id that the client sent, or empty."""
    address: str | None
    """The client's address, as limits count it."""
    is_secure: bool
    format: JsonFormat
    lines: HeaderLines
    """The header lines of the answer."""
    accepted_encodings: str
    traceparent: str | None
    """The trace of the client, not yet checked."""


class RequestHeads:
    """The heads of a process. `find_format` is that of GraphQLEndpoint."""

    def __init__(
        self, proxies: TrustedProxies, find_format: Callable[[Headers], JsonFormat | None], *, max_body_bytes: int
    ) -> None:
        self._proxies = proxies
        self._find_format = find_format
        self._max_body_bytes = min(max_body_bytes, MAX_BODY_BYTES)
        self._read: RecentlyUsed[object, RequestHead | bool] = RecentlyUsed(CAPACITY)
        """By the digest of the head and the peer. False for heads that the fast path declines."""

    def __len__(self) -> int:
        return len(self._read)

    def read(self, head: bytes, peer: Peer) -> RequestHead | None:
        """Return the head that these bytes are, or None if the ordinary path must read them."""
        key = hashlib.sha256(head).digest(), peer.key
        found = self._read.get(key)
        if found is None:
            found = self._parse(head, peer) or False
            self._read.put(key, found)
        return found if isinstance(found, RequestHead) else None

    def _parse(self, head: bytes, peer: Peer) -> RequestHead | None:
        sent = _parse_plain(head)
        if sent is None:
            return None
        names = Counter(name for name, _ in sent)
        if not names.keys().isdisjoint(_ELSEWHERE) or any(names[name] != 1 for name in _ONCE):
            return None
        found = dict(sent)
        authorization, content_length = found[b"authorization"], int(found[b"content-length"])
        if not authorization or head.count(authorization) != 1 or content_length > self._max_body_bytes:
            return None
        scope: Scope = {"type": "http", "client": peer.client, "scheme": peer.scheme, "headers": sent}
        self._proxies.rewrite(scope)
        headers = IndexedHeaders(scope)
        format_, encodings = self._find_format(headers), headers.get("accept-encoding", "")
        if format_ is None or len(encodings) > _MAX_ENCODINGS_CHARACTERS:
            return None
        begin, client, is_secure = head.index(authorization), scope["client"], scope["scheme"] == "https"
        return RequestHead(
            content_length=content_length,
            authorization=slice(begin, begin + len(authorization)),
            request_id=headers.get(REQUEST_ID.decode(), "").encode("latin-1")[:_KEPT_ID_BYTES],
            address=client[0] if client else None,
            token=digest_bearer(authorization.decode("latin-1")),
            is_secure=is_secure,
            format=format_,
            lines=make_header_lines(format_, is_secure=is_secure),
            accepted_encodings=encodings,
            traceparent=find_traceparent(sent),
        )


class _Parsed:
    """The parts of a head, as httptools reports them."""

    def __init__(self) -> None:
        self.url = b""
        self.headers: list[tuple[bytes, bytes]] = []
        self.is_complete = False
        self.has_body = False

    def on_url(self, url: bytes) -> None:
        self.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        self.is_complete = True

    def on_body(self, _: bytes) -> None:
        self.has_body = True


def _parse_plain(head: bytes) -> list[tuple[bytes, bytes]] | None:
    """Return the headers of a POST request for our path on a connection that stays open, or None if
    these bytes are anything else.
    """
    parsed = _Parsed()
    parser = httptools.HttpRequestParser(parsed)
    try:
        parser.feed_data(head)
    except (httptools.HttpParserError, httptools.HttpParserUpgrade):
        return None
    is_plain = (
        parsed.is_complete
        # Otherwise, the head has ended before its last byte.
        and not parsed.has_body
        and parsed.url == PATH.encode()
        and parser.get_method() == b"POST"
        and parser.get_http_version() == "1.1"
        and parser.should_keep_alive()
        and not parser.should_upgrade()
    )
    return parsed.headers if is_plain else None
