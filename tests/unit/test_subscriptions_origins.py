"""Sockets accept this host, the origins in the settings, and, in development, this machine."""

import pytest
from starlette.datastructures import Headers

from subscriptions.sockets.origins import OriginRules

SHOP = ("https://shop.example",)


def is_allowed(origin: str, host: str = "tickets.example", *, in_development: bool = False) -> bool:
    rules = OriginRules(SHOP, allows_loopback=in_development)
    return rules.refusal_for(Headers({"origin": origin, "host": host})) is None


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        ("https://x", "x:443"),
        ("http://x", "x:80"),
        ("https://x:443", "x"),
        ("https://X", "x"),
        ("https://x:8443", "x:8443"),
        ("https://[::1]", "[::1]:443"),
        ("https://shop.example:443", "x"),
        # React Native makes up the origin, and a proxy may terminate TLS.
        ("https://x", "x:80"),
        ("http://x", "x:443"),
        ("wss://x:443", "x"),
        ("ws://x", "x:443"),
    ],
)
def test_default_port_of_the_scheme_may_be_omitted(origin: str, host: str) -> None:
    assert is_allowed(origin, host)


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        ("https://x", "x:8443"),
        ("https://x:8443", "x"),
        ("x", "x"),
        ("https://", ""),
        ("http://shop.example", "x"),
        ("https://shop.example:80", "x"),
    ],
)
def test_another_port_is_another_origin(origin: str, host: str) -> None:
    assert not is_allowed(origin, host)


@pytest.mark.parametrize(
    "origin",
    [
        "http://localhost:5173",
        "https://localhost",
        "http://127.0.0.1:3000",
        "http://127.1.2.3",
        "http://[::1]:8080",
        "http://app.localhost:3000",
    ],
)
def test_pages_from_this_machine_are_allowed_in_development(origin: str) -> None:
    assert is_allowed(origin, in_development=True)
    assert not is_allowed(origin)


@pytest.mark.parametrize(
    "origin",
    [
        "http://localhost.evil.example",
        "http://evillocalhost",
        "http://127.0.0.1.evil.example",
        "http://localhost@evil.example",
        "http://evil.example#localhost",
        "http://anna@localhost",
        "http://192.168.0.4",
        "http://[fe80::1]",
        "http://localhost:99999x",
        "ftp://localhost",
        "null",
        "http://[",
        "",
    ],
)
def test_lookalikes_of_this_machine_are_refused(origin: str) -> None:
    assert not is_allowed(origin, in_development=True)


def test_two_origins_are_refused() -> None:
    twice = Headers(raw=[(b"origin", b"https://shop.example"), (b"origin", b"https://shop.example")])
    assert OriginRules(SHOP, allows_loopback=True).refusal_for(twice) is not None


def test_refusal_names_the_origin_and_the_setting() -> None:
    refusal = OriginRules(SHOP, allows_loopback=False).refusal_for(Headers({"origin": "https://y\n" * 99}))
    assert refusal is not None
    assert r"'https://y\n" in refusal
    assert "ONSALE_ALLOWED_ORIGINS" in refusal
    assert "\n" not in refusal
    assert len(refusal) < 500
