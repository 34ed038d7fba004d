"""The issuer redirects only to this machine, never to a look-alike address."""

from urllib.parse import parse_qs, urlsplit

import pytest
from authlib.common.urls import add_params_to_uri
from hypothesis import given
from hypothesis import strategies as st

from auth.dev_issuer.client import is_loopback_uri


@pytest.mark.parametrize(
    "uri",
    [
        "http://localhost:5173/",
        "http://127.0.0.1:8000/callback?tab=1&x=%20",
        "http://localhost:65535/a/b;c=d/@me",
    ],
)
def test_loopback_address_is_allowed(uri: str) -> None:
    assert is_loopback_uri(uri)


@pytest.mark.parametrize(
    "uri",
    [
        "",
        "/callback",
        "http://localhost/",
        "http://localhost:5173",
        "https://localhost:5173/",
        "javascript://localhost:5173/",
        "http://evil.example/",
        "http://localhost.evil.example:80/",
        "http://localhost:5173.evil.example/",
        "http://localhost:5173@evil.example/",
        "http://user@localhost:5173/",
        "http://evil.example\\@localhost:5173/",
        "http://localhost:5173\\@evil.example/",
        "http://127.0.0.1.evil.example:80/",
        "http://127.0.0.2:80/",
        "http://2130706433:80/",
        "http://[::1]:80/",
        "http://LOCALHOST:80/",
        "http://localhost:0/",
        "http://localhost:65536/",
        "http://localhost:٨٠/",
        "http://localhost:80/#fragment",
        "http://localhost:80/ ",
        " http://localhost:80/",
        "http://localhost:80/\r\nSet-Cookie: a=b",
        "http://localhost:80/\n",
        "http://localhost:80/%zz",
        "http://localhost:80/" + "a" * 2_000,
        "//localhost:80/",
    ],
)
def test_any_other_address_is_refused(uri: str) -> None:
    assert not is_loopback_uri(uri)


URIS = st.from_regex(
    r"https?://(localhost|127\.0\.0\.1|evil\.example)[:@.]?\w{0,5}[/\\@?#;.%a-z0-9\[\]&=+']{0,30}", fullmatch=True
)


@given(uri=URIS | st.text(max_size=40))
def test_adding_a_code_to_an_allowed_address_does_not_change_its_host(uri: str) -> None:
    if is_loopback_uri(uri):
        target = urlsplit(add_params_to_uri(uri, [("code", "c0de")]))
        assert target.scheme == "http"
        assert target.hostname in ("localhost", "127.0.0.1")
        assert target.port == urlsplit(uri).port
        assert target.username is None
        assert target.path == urlsplit(uri).path
        assert parse_qs(target.query)["code"][-1] == "c0de"
