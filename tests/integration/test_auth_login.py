"""Login through the issuer's page, as a browser goes through it, at the development issuer over real HTTP."""

import base64
import html
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

import httpx2
import jwt
import pytest
import pytest_asyncio
from starlette.applications import Starlette

from auth.dev_issuer import issuer_routes
from auth.login import login_routes
from tests.support.issuer_client import CLIENT_ID
from tests.support.serving import serving
from tests.support.tokens import AUDIENCE

pytestmark = pytest.mark.asyncio(loop_scope="module")

NOT_BEGUN = "This sign-in was not started in this browser, or it has expired; sign in again."
# No header may have one: neither where the browser is sent, nor what it is told to keep.
TOKEN = re.compile(r"ey[\w-]+\.ey[\w-]+\.")


class Visitor:
    """One browser: its cookies are its own."""

    def __init__(self, base: str, http: httpx2.AsyncClient) -> None:
        self.base = base
        self.http = http

    async def begin(self, query: str = "") -> dict[str, str]:
        """The authorization request that the issuer gets."""
        response = await self.http.get(f"{self.base}/login{query}")
        assert response.status_code == 302
        assert response.headers["cache-control"] == "no-store"
        location = urlsplit(response.headers["location"])
        assert f"{location.scheme}://{location.netloc}{location.path}" == (
            f"{self.base}/realms/onsale/protocol/openid-connect/auth"
        )
        return dict(parse_qsl(location.query))

    async def sign_in(self, asked: dict[str, str], name: str = "alice") -> str:
        """Where the issuer sends the browser back to."""
        form = {**asked, "username": name, "password": name}
        response = await self.http.post(f"{self.base}/realms/onsale/protocol/openid-connect/auth", data=form)
        assert response.status_code == 303
        return response.headers["location"]

    async def finish(self, address: str) -> httpx2.Response:
        response = await self.http.get(address)
        assert "location" not in response.headers
        return response

    def remembered(self) -> dict[str, Any]:
        kept: dict[str, Any] = json.loads(base64.urlsafe_b64decode(self.http.cookies["onsale-login"].strip('"')))
        return kept

    def remember(self, session: object) -> None:
        self.http.cookies.clear()
        text = base64.urlsafe_b64encode(json.dumps(session).encode()).decode()
        self.http.cookies.set("onsale-login", text)


def _app(issuer: str, data_dir: Path) -> Starlette:
    routes = issuer_routes(issuer, audience=AUDIENCE, client_id=CLIENT_ID, data_dir=data_dir, env="development")
    return Starlette(routes=[*login_routes(issuer, client_id=CLIENT_ID), *routes])


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def base(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    directory = tmp_path_factory.mktemp("issuer")
    async with serving(lambda base: _app(f"{base}/realms/onsale", directory)) as running:
        yield running


@asynccontextmanager
async def a_visitor(base: str) -> AsyncIterator[Visitor]:
    async with httpx2.AsyncClient(trust_env=False) as http:
        yield Visitor(base, http)


@pytest_asyncio.fixture(loop_scope="module")
async def visitor(base: str) -> AsyncIterator[Visitor]:
    async with a_visitor(base) as visitor:
        yield visitor


def handed_over(page: httpx2.Response) -> dict[str, Any]:
    found = re.search(r'<body data-tokens="([^"]*)">', page.text)
    assert found is not None, page.text
    tokens: dict[str, Any] = json.loads(html.unescape(found[1]))
    return tokens


def reason_of(page: httpx2.Response) -> str:
    assert "data-tokens" not in page.text
    found = re.search(r'<p role="alert">(.*?)</p>', page.text)
    assert found is not None, page.text
    return html.unescape(found[1])


async def test_somebody_signs_in_and_the_page_gets_the_tokens(visitor: Visitor) -> None:
    back = await visitor.sign_in(await visitor.begin())
    page = await visitor.finish(back)
    assert page.status_code == 200
    tokens = handed_over(page)
    assert set(tokens) == {"access_token", "expires_in", "refresh_token", "id_token"}
    claims = jwt.decode(tokens["access_token"], options={"verify_signature": False})
    assert (claims["preferred_username"], claims["typ"]) == ("alice", "Bearer")


async def test_the_request_has_state_nonce_and_a_challenge_and_the_browser_keeps_what_belongs_to_them(
    visitor: Visitor,
) -> None:
    asked = await visitor.begin()
    assert (asked["response_type"], asked["code_challenge_method"]) == ("code", "S256")
    assert asked["scope"] == "openid profile email"
    assert asked["redirect_uri"] == f"{visitor.base}/login/callback"
    ((key, kept),) = visitor.remembered().items()
    assert key == f"_state_issuer_{asked['state']}"
    assert kept["data"]["nonce"] == asked["nonce"]
    assert len(kept["data"]["code_verifier"]) >= 43
    again = await visitor.begin()
    assert all(again[name] != asked[name] for name in ("state", "nonce", "code_challenge"))


async def test_the_cookie_is_for_this_login_alone(visitor: Visitor) -> None:
    response = await visitor.http.get(f"{visitor.base}/login")
    cookie = response.headers["set-cookie"]
    assert cookie.startswith("onsale-login=")
    assert {"HttpOnly", "Max-Age=600", "Path=/", "SameSite=lax"} <= set(cookie.split("; "))
    page = await visitor.finish(await visitor.sign_in(dict(parse_qsl(urlsplit(response.headers["location"]).query))))
    assert "Max-Age=0" in page.headers["set-cookie"]
    assert "onsale-login" not in visitor.http.cookies


async def test_over_https_nobody_else_can_plant_the_cookie(base: str, tmp_path: Path) -> None:
    transport = httpx2.ASGITransport(Starlette(routes=login_routes(f"{base}/realms/onsale", client_id=CLIENT_ID)))
    async with httpx2.AsyncClient(transport=transport, base_url="https://onsale.example") as http:
        response = await http.get("/login")
    cookie = response.headers["set-cookie"]
    assert cookie.startswith("__Host-onsale-login=")
    assert {"HttpOnly", "Path=/", "SameSite=lax", "Secure"} <= set(cookie.split("; "))
    asked = parse_qs(urlsplit(response.headers["location"]).query)
    assert asked["redirect_uri"] == ["https://onsale.example/login/callback"]


async def test_the_page_is_neither_kept_nor_framed_and_runs_one_script(visitor: Visitor) -> None:
    page = await visitor.finish(await visitor.sign_in(await visitor.begin()))
    assert page.headers["cache-control"] == "no-store"
    assert page.headers["referrer-policy"] == "no-referrer"
    policy = page.headers["content-security-policy"]
    assert re.fullmatch(
        r"default-src 'none'; script-src 'sha256-[\w+/]{43}='; base-uri 'none'; frame-ancestors 'none'", policy
    )
    assert 'location.replace("/graphql")' in page.text
    assert not any(TOKEN.search(value) for value in page.headers.values())


@pytest.mark.parametrize("query", ["?next=http://evil.example/", "?redirect_uri=http://evil.example/"])
async def test_a_login_ends_at_our_own_page_whatever_is_asked(visitor: Visitor, query: str) -> None:
    asked = await visitor.begin(query)
    assert asked["redirect_uri"] == f"{visitor.base}/login/callback"
    page = await visitor.finish(await visitor.sign_in(asked))
    assert "evil.example" not in page.text


async def test_an_answer_without_the_browser_that_asked_is_refused(visitor: Visitor) -> None:
    back = await visitor.sign_in(await visitor.begin())
    async with a_visitor(visitor.base) as other:
        page = await other.finish(back)
        assert (page.status_code, reason_of(page)) == (400, NOT_BEGUN)
        # Not even one who is in the middle of a login of their own.
        await other.begin()
        page = await other.finish(back)
        assert (page.status_code, reason_of(page)) == (400, NOT_BEGUN)
    assert handed_over(await visitor.finish(back))


async def test_an_answer_counts_once(visitor: Visitor) -> None:
    back = await visitor.sign_in(await visitor.begin())
    kept = visitor.remembered()
    assert handed_over(await visitor.finish(back))
    page = await visitor.finish(back)
    assert (page.status_code, reason_of(page)) == (400, NOT_BEGUN)
    visitor.remember(kept)
    page = await visitor.finish(back)
    assert page.status_code == 400
    assert "used before" in reason_of(page)


@pytest.mark.parametrize("name", ["nonce", "code_verifier"])
async def test_what_the_browser_keeps_must_fit(visitor: Visitor, name: str) -> None:
    back = await visitor.sign_in(await visitor.begin())
    session = visitor.remembered()
    next(iter(session.values()))["data"][name] = "x" * 48
    visitor.remember(session)
    page = await visitor.finish(back)
    assert page.status_code == 400
    assert reason_of(page)


@pytest.mark.parametrize(
    "session", [[], "x", {"_state_issuer_S": 1}, {"_state_issuer_S": {"data": {"nonce": []}}}, None]
)
async def test_a_cookie_that_is_none_of_ours_is_no_login(visitor: Visitor, session: object) -> None:
    visitor.remember(session)
    page = await visitor.finish(f"{visitor.base}/login/callback?code=c&state=S")
    assert (page.status_code, reason_of(page)) == (400, NOT_BEGUN)


@pytest.mark.parametrize("cookie", ["", "%%%", "4pi=", "W" * 3_000])
async def test_a_cookie_of_garbage_is_no_login(visitor: Visitor, cookie: str) -> None:
    visitor.http.cookies.set("onsale-login", cookie)
    page = await visitor.finish(f"{visitor.base}/login/callback?code=c&state=S")
    assert (page.status_code, reason_of(page)) == (400, NOT_BEGUN)


async def test_an_answer_of_another_issuer_is_refused(visitor: Visitor) -> None:
    back = await visitor.sign_in(await visitor.begin())
    address = re.sub(r"iss=[^&]*", "iss=http%3A%2F%2Fevil.example", back)
    page = await visitor.finish(address)
    assert (page.status_code, reason_of(page)) == (
        400,
        "The response came from another issuer; sign in again.",
    )


async def test_the_words_of_a_refusal_are_shown_and_nothing_in_them_runs(visitor: Visitor) -> None:
    address = f"{visitor.base}/login/callback?error=access_denied&error_description=%3Cscript%3Ealert(1)%3C/script%3E"
    page = await visitor.finish(address)
    assert page.status_code == 400
    assert reason_of(page) == "<script>alert(1)</script>"
    assert "<script" not in page.text


async def test_an_issuer_that_is_away_is_said_and_not_thrown() -> None:
    routes = login_routes("http://127.0.0.1:1/realms/onsale", client_id=CLIENT_ID)
    transport = httpx2.ASGITransport(Starlette(routes=routes))
    async with httpx2.AsyncClient(transport=transport, base_url="http://localhost") as http:
        response = await http.get("/login")
    assert (response.status_code, reason_of(response)) == (
        503,
        "The issuer did not answer correctly; try again in a moment.",
    )
