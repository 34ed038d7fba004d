"""The client is the rightmost untrusted hop, and only trusted peers may report it."""

import pytest
from starlette.types import Receive, Scope, Send

from web.proxies import ProxyMiddleware, address_key

NGINX = ("10.0.0.0/8", "fd00::/8")


async def rewritten(
    *headers: tuple[str, str], peer: str | None = "10.0.0.1", kind: str = "http", trusted: tuple[str, ...] = NGINX
) -> Scope:
    """Return the scope that the application receives."""
    received: list[Scope] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        received.append(scope)

    async def unused(*_: object) -> None:
        raise AssertionError("the middleware must not read or write")

    scope: Scope = {
        "type": kind,
        "scheme": "http" if kind == "http" else "ws",
        "client": (peer, 4711) if peer is not None else None,
        "headers": [(name.encode(), value.encode()) for name, value in (("host", "inside:8000"), *headers)],
    }
    await ProxyMiddleware(app, trusted)(scope, unused, unused)  # type: ignore[arg-type]
    return received[0]


async def client(*lines: str, peer: str | None = "10.0.0.1", trusted: tuple[str, ...] = NGINX) -> str | None:
    scope = await rewritten(*[("x-forwarded-for", line) for line in lines], peer=peer, trusted=trusted)
    return scope["client"][0] if scope["client"] else None


@pytest.mark.parametrize(
    ("lines", "address"),
    [
        (["203.0.113.7"], "203.0.113.7"),
        (["1.1.1.1, 203.0.113.7"], "203.0.113.7"),
        (["1.1.1.1", "203.0.113.7"], "203.0.113.7"),
        (["203.0.113.7, 10.1.1.1", "10.2.2.2"], "203.0.113.7"),
        (["10.3.3.3, 10.2.2.2"], "10.3.3.3"),
        (["203.0.113.7:5012"], "203.0.113.7"),
        (["::ffff:203.0.113.7"], "203.0.113.7"),
        (["[2001:db8:1:2:3:4:5:6]:443"], "2001:db8:1:2::/64"),
        (["2001:db8:1:2:3:4:5:6"], "2001:db8:1:2::/64"),
        (["fe80::1%eth0"], "fe80::/64"),
        ([], "10.0.0.1"),
        ([""], "10.0.0.1"),
        (["unknown"], "10.0.0.1"),
        (["203.0.113.7, unknown"], "10.0.0.1"),
        (["unknown, 10.2.2.2"], "10.2.2.2"),
        (["203.0.113.7, 999.1.1.1, 10.2.2.2"], "10.2.2.2"),
    ],
)
async def test_client_is_the_rightmost_untrusted_hop(lines: list[str], address: str) -> None:
    assert await client(*lines) == address


@pytest.mark.parametrize("peer", ["203.0.113.9", "testclient"])
async def test_headers_from_an_untrusted_peer_are_ignored(peer: str) -> None:
    headers = [("x-forwarded-for", "1.1.1.1"), ("x-forwarded-proto", "https"), ("x-forwarded-host", "evil.example")]
    scope = await rewritten(*headers, peer=peer)
    assert scope["client"] == (peer, 4711)
    assert scope["scheme"] == "http"
    assert dict(scope["headers"])[b"host"] == b"inside:8000"


async def test_unix_socket_is_trusted_only_by_name() -> None:
    assert await client("203.0.113.7", peer=None) is None
    assert await client("203.0.113.7", peer="", trusted=("unix",)) == "203.0.113.7"
    assert await client("203.0.113.7", peer=None, trusted=("unix",)) == "203.0.113.7"


@pytest.mark.parametrize(("kind", "scheme"), [("http", "https"), ("websocket", "wss")])
async def test_trusted_proxy_reports_scheme_and_host(kind: str, scheme: str) -> None:
    headers = [("x-forwarded-proto", "http, HTTPS"), ("x-forwarded-host", "tickets.example")]
    scope = await rewritten(*headers, kind=kind)
    assert scope["scheme"] == scheme
    assert dict(scope["headers"])[b"host"] == b"tickets.example"


async def test_unknown_scheme_is_ignored() -> None:
    assert (await rewritten(("x-forwarded-proto", "gopher")))["scheme"] == "http"


def test_addresses_of_one_household_count_as_one() -> None:
    assert address_key("2001:db8::1") == address_key("2001:db8::ffff:1") == "2001:db8::/64"
    assert address_key("2001:db8:0:1::1") != address_key("2001:db8::1")
    assert address_key("192.0.2.1") == "192.0.2.1"
    assert address_key("::1") == "::1"
    assert address_key("a.socket") == "a.socket"
