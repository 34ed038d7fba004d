"""Callers: a token overrides the cookie, which is accepted only from our own pages."""

from dataclasses import dataclass, field

import pytest
from starlette.datastructures import Headers

from auth.bearer import TokenDigest
from auth.callers import Callers, Recheck, cache_headers
from auth.public_site import Site, site_of
from auth.viewer import Viewer
from domain.errors import Forbidden, SessionLost, Unauthenticated
from domain.ids import PersonId
from settings import Settings

OWN = "https://tickets.example"
COOKIE = ("cookie", "__Host-onsale-session=alice-cookie")
PREFLIGHT = ("graphql-require-preflight", "1")
FOREIGN = [
    "https://evil.example",
    "https://tickets.example.evil.example",
    "https://shop.tickets.example",
    "http://tickets.example",
    "https://tickets.example:8443",
    "https://TICKETS.example",
    "https://tickets.example/",
    "null",
    "",
]


class FixedRecheck:
    def delay_s(self) -> float:
        return 600.0

    async def check(self) -> None: ...


@dataclass
class Parts:
    """A verifier whose tokens are names, and sessions whose only cookie is Alice's."""

    tokens: list[str] = field(default_factory=list)
    read: list[str] = field(default_factory=list)

    async def verify(self, token: str) -> Viewer:
        self.tokens.append(token)
        if token == "expired":
            raise Unauthenticated("The access token has expired; refresh it or sign in again.")
        return _viewer(token)

    def recall(self, digest: TokenDigest) -> Viewer | None:
        return None

    async def viewer_of(self, cookie: str) -> Viewer:
        self.read.append(cookie)
        if cookie != "alice-cookie":
            raise SessionLost
        return _viewer("alice")

    def recheck(self, cookie: str, viewer: Viewer) -> Recheck:
        return FixedRecheck()


def _viewer(name: str) -> Viewer:
    return Viewer(PersonId(name), name, None, frozenset())


def _headers(*pairs: tuple[str, str]) -> Headers:
    return Headers(raw=[(name.encode(), value.encode("latin-1")) for name, value in pairs])


@pytest.fixture
def parts() -> Parts:
    return Parts()


@pytest.fixture
def callers(parts: Parts) -> Callers:
    return Callers(parts, site=Site(OWN), sessions=parts)


async def test_request_without_credentials_is_anonymous(callers: Callers, parts: Parts) -> None:
    identified = await callers.identify_request(_headers(("origin", "https://evil.example")), needs_preflight=True)
    assert (identified.caller, identified.recheck, parts.read) == (None, None, [])


@pytest.mark.parametrize("origin", [OWN, *FOREIGN])
async def test_token_is_accepted_from_any_origin_and_overrides_the_cookie(
    callers: Callers, parts: Parts, origin: str
) -> None:
    headers = _headers(("authorization", "Bearer bob"), COOKIE, ("origin", origin))
    identified = await callers.identify_request(headers, needs_preflight=True)
    assert identified.caller is not None
    assert (identified.caller.name, identified.recheck, parts.read) == ("bob", None, [])


@pytest.mark.parametrize("value", ["Bearer expired", "Bearer ", "Basic YTpi", "", "alice-cookie"])
async def test_bad_token_is_refused_even_if_the_cookie_is_good(callers: Callers, parts: Parts, value: str) -> None:
    headers = _headers(("authorization", value), COOKIE, ("origin", OWN))
    with pytest.raises(Unauthenticated):
        await callers.identify_request(headers, needs_preflight=False)
    assert parts.read == []


async def test_two_tokens_are_refused(callers: Callers, parts: Parts) -> None:
    headers = _headers(("authorization", "Bearer alice"), ("authorization", "Bearer bob"))
    with pytest.raises(Unauthenticated, match="send `Bearer <access token>` once"):
        await callers.identify_request(headers, needs_preflight=False)
    assert parts.tokens == []


@pytest.mark.parametrize("pairs", [(("origin", OWN),), (("sec-fetch-site", "same-origin"),)])
async def test_cookie_is_accepted_from_our_own_pages(callers: Callers, pairs: tuple[tuple[str, str], ...]) -> None:
    identified = await callers.identify_request(_headers(COOKIE, *pairs), needs_preflight=False)
    assert identified.caller is not None
    assert identified.caller.name == "alice"
    assert isinstance(identified.recheck, FixedRecheck)


@pytest.mark.parametrize(
    "pairs",
    [
        (),
        *((("origin", origin),) for origin in FOREIGN),
        *((("origin", origin), ("sec-fetch-site", "same-origin")) for origin in FOREIGN),
        *((("sec-fetch-site", value),) for value in ("same-site", "cross-site", "none", "")),
        (("origin", OWN), ("origin", "https://evil.example")),
        (("referer", f"{OWN}/graphql"), ("host", "tickets.example")),
    ],
)
async def test_cookie_from_another_page_is_refused(
    callers: Callers, parts: Parts, pairs: tuple[tuple[str, str], ...]
) -> None:
    with pytest.raises(Forbidden, match=r"Only pages of 'https://tickets\.example', .* ONSALE_PUBLIC_URL"):
        await callers.identify_request(_headers(COOKIE, PREFLIGHT, *pairs), needs_preflight=True)
    assert parts.read == []


async def test_get_requests_and_streams_need_a_header_that_forces_a_preflight(callers: Callers, parts: Parts) -> None:
    own = _headers(COOKIE, ("sec-fetch-site", "same-origin"))
    with pytest.raises(Forbidden, match=r"needs the header GraphQL-Require-Preflight.*ONSALE_PUBLIC_URL"):
        await callers.identify_request(own, needs_preflight=True)
    assert parts.read == []
    headers = _headers(COOKIE, ("sec-fetch-site", "same-origin"), PREFLIGHT)
    assert (await callers.identify_request(headers, needs_preflight=True)).caller is not None


async def test_unknown_cookie_raises_session_lost(callers: Callers) -> None:
    headers = _headers(("cookie", "__Host-onsale-session=old"), ("origin", OWN))
    with pytest.raises(SessionLost):
        await callers.identify_request(headers, needs_preflight=False)


@pytest.mark.parametrize(
    "cookie", ["onsale-session=alice-cookie", "__Host-other=alice-cookie", "__Host-onsale-session="]
)
async def test_other_cookies_are_ignored(callers: Callers, cookie: str) -> None:
    identified = await callers.identify_request(_headers(("cookie", cookie), ("origin", OWN)), needs_preflight=False)
    assert identified.caller is None


@pytest.mark.parametrize("space", ["\x85", "\xa0", "\x1f", " \xa0"])
async def test_cookie_whose_name_starts_with_white_space_is_ignored(callers: Callers, parts: Parts, space: str) -> None:
    """A neighboring domain cannot set `__Host-` cookies, but can set cookies with such names."""
    for cookie in (f"{space}{COOKIE[1]}", f"theme=dark;{space}{COOKIE[1]}"):
        headers = _headers(("cookie", cookie), ("origin", OWN))
        assert (await callers.identify_request(headers, needs_preflight=False)).caller is None
    assert parts.read == []


# Sockets


@pytest.mark.parametrize("origin", [*FOREIGN, None])
def test_socket_with_a_cookie_from_another_page_is_refused(callers: Callers, origin: str | None) -> None:
    pairs = [] if origin is None else [("origin", origin)]
    refusal = callers.refusal_for_upgrade(_headers(COOKIE, *pairs))
    assert refusal is not None
    assert "ONSALE_PUBLIC_URL" in refusal
    assert callers.refusal_for_upgrade(_headers(*pairs)) is None


async def test_cookie_from_our_page_signs_a_socket_in(callers: Callers) -> None:
    headers = _headers(COOKIE, ("origin", OWN))
    assert callers.refusal_for_upgrade(headers) is None
    identified = await callers.identify_socket(headers, None)
    assert identified.caller is not None
    assert identified.caller.name == "alice"
    assert identified.recheck is not None


async def test_token_in_connection_init_wins_over_the_cookie(callers: Callers, parts: Parts) -> None:
    headers = _headers(COOKIE, ("origin", OWN))
    identified = await callers.identify_socket(headers, "Bearer bob")
    assert identified.caller is not None
    assert (identified.caller.name, identified.recheck) == ("bob", None)
    with pytest.raises(Unauthenticated):
        await callers.identify_socket(headers, "Bearer expired")
    assert parts.read == []


# The site


@pytest.mark.parametrize(
    ("settings", "origins"),
    [
        (Settings(port=8123), {"http://localhost:8123", "http://127.0.0.1:8123"}),
        (Settings(public_url="https://tickets.example"), {"https://tickets.example"}),
        (Settings(public_url="https://tickets.example:443"), {"https://tickets.example"}),
        (Settings(public_url="https://tickets.example:8443"), {"https://tickets.example:8443"}),
    ],
)
def test_public_address_decides_which_pages_are_ours(settings: Settings, origins: set[str]) -> None:
    site = site_of(settings)
    assert all(site.is_own(origin) for origin in origins)
    assert site.origin in origins
    assert not any(site.is_own(origin) for origin in ["http://localhost:8000", "http://127.0.0.1:8124", "null"])


def test_answers_to_requests_with_credentials_are_private(callers: Callers) -> None:
    assert callers.has_credentials(_headers(COOKIE))
    assert callers.has_credentials(_headers(("authorization", "x")))
    assert not callers.has_credentials(_headers(("cookie", "theme=dark")))
    assert cache_headers(has_credentials=True)["Cache-Control"] == "private, no-store"
    assert cache_headers(has_credentials=False)["Cache-Control"] == "no-store"
