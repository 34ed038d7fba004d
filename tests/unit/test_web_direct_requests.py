"""A request for /graphql passes through few layers, and its headers and peer are read once."""

import ipaddress
from unittest.mock import patch

import pytest
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from web import content_negotiation
from web.content_negotiation import MAX_CACHED_CHARACTERS, MediaRange, preferred_media_type
from web.middleware import DirectRoute
from web.proxies import ProxyMiddleware
from web.request_parsing import IndexedHeaders

RAW = [
    (b"host", b"onsale"),
    (b"accept", b"text/html"),
    (b"accept", b"application/json"),
    (b"x-name", "J\u00f6rg".encode("latin-1")),
    (b"cookie", b"a=1"),
    (b"empty", b""),
]


def _app(name: str, seen: list[str]) -> ASGIApp:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(name)

    return app


async def _receive() -> Message:
    raise AssertionError("nothing reads the request")


async def _send(message: Message) -> None:
    raise AssertionError("nothing is sent")


@pytest.mark.parametrize("name", ["host", "Host", "accept", "X-Name", "cookie", "empty", "absent"])
@pytest.mark.parametrize("raw", [RAW, RAW[:1] + RAW[2:], []], ids=["repeated", "single", "none"])
def test_indexed_headers_equal_the_headers_of_the_request(raw: list[tuple[bytes, bytes]], name: str) -> None:
    scope = {"type": "http", "headers": raw}
    indexed, plain = IndexedHeaders(scope), Headers(raw=raw)
    assert indexed == plain
    assert (name in indexed) == (name in plain)
    assert indexed.get(name) == plain.get(name)
    assert indexed.get(name, "other") == plain.get(name, "other")
    assert indexed.getlist(name) == plain.getlist(name)
    assert indexed.items() == plain.items()


def test_absent_header_raises_key_error() -> None:
    with pytest.raises(KeyError):
        IndexedHeaders({"type": "http", "headers": RAW})["absent"]


@pytest.mark.parametrize(
    ("scope", "reached"),
    [
        ({"type": "http", "path": "/graphql"}, "endpoint"),
        ({"type": "http", "path": "/graphql", "root_path": ""}, "endpoint"),
        ({"type": "http", "path": "/graphql", "root_path": "/graphql"}, "application"),
        ({"type": "http", "path": "/graphql/"}, "application"),
        ({"type": "http", "path": "/schema.graphql"}, "application"),
        ({"type": "websocket", "path": "/graphql"}, "application"),
        ({"type": "lifespan"}, "application"),
    ],
    ids=str,
)
async def test_only_http_requests_for_the_path_go_to_the_endpoint(scope: Scope, reached: str) -> None:
    seen: list[str] = []
    route = DirectRoute(_app("application", seen), "/graphql", _app("endpoint", seen))
    await route(scope, _receive, _send)
    assert seen == [reached]


async def test_address_of_a_peer_is_read_once() -> None:
    seen: list[str] = []
    proxy = ProxyMiddleware(_app("application", seen), ["10.0.0.0/8"])
    peer = "2001:db8::1:2"
    scopes: list[Scope] = [
        {"type": "http", "client": (peer, port), "headers": [], "scheme": "http"} for port in (1, 2, 3)
    ]
    with patch.object(ipaddress, "ip_address", wraps=ipaddress.ip_address) as read:
        for scope in scopes:
            await proxy(scope, _receive, _send)
    assert [scope["client"] for scope in scopes] == [("2001:db8::/64", port) for port in (1, 2, 3)]
    assert read.call_count <= 2


def test_media_type_of_a_repeated_accept_header_is_chosen_once() -> None:
    accept, offered = "text/html;q=0.1,application/json;q=0.9,*/*;q=0.3", ("text/html", "application/json")
    with patch.object(content_negotiation, "MediaRange", wraps=MediaRange) as read:
        chosen = {preferred_media_type(accept, offered) for _ in range(3)}
    assert chosen == {"application/json"}
    assert read.call_count <= 3, "the header has three parts"


def test_choice_for_a_long_accept_header_is_not_kept() -> None:
    accept = ",".join(["text/html"] * MAX_CACHED_CHARACTERS)
    with patch.object(content_negotiation, "MediaRange", wraps=MediaRange) as read:
        assert [preferred_media_type(accept, ("text/html",)) for _ in range(2)] == ["text/html"] * 2
    assert read.call_count == 2 * MAX_CACHED_CHARACTERS
