"""Login through the development issuer's page over real HTTP, step by step as in a browser."""

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

NOT_STARTED = "This sign-in was not started in this browser, or it has expired; sign in again."
# No response header may contain a token, not even a redirect or a cookie.
TOKEN = re.compile(r"ey[\w-]+\.ey[\w-]+\.")


class Browser:
    """A browser with its own cookies."""

    def __init__(self, base: str, http: httpx2.AsyncClient) -> None:
        self.base = base
        self.http = http

    async def start_login(self, query: str = "") -> dict[str, str]:
        """Start a login. Return the parameters of the authorization request."""
        response = await self.http.get(f"{self.base}/login{query}")
        assert response.status_code == 302
        assert response.headers["cache-control"] == "no-store"
        location = urlsplit(response.headers["location"])
        assert f"{location.scheme}://{location.netloc}{location.path}" == (
            f"{self.base}/realms/onsale/protocol/openid-connect/auth"
        )
        return dict(parse_qsl(location.query))

    async def sign_in(self, request: dict[str, str], name: str = "alice") -> str:
        """Sign in at the issuer. Return the URL of its redirect."""
        form = {**request, "username": name, "password": name}
        response = await self.http.post(f"{self.base}/realms/onsale/protocol/openid-connect/auth", data=form)
        assert response.status_code == 303
        return response.headers["location"]

    async def open_callback(self, address: str) -> httpx2.Response:
        response = await self.http.get(address)
        assert "location" not in response.headers
        return response

    def session(self) -> dict[str, Any]:
        session: dict[str, Any] = json.loads(base64.urlsafe_b64decode(self.http.cookies["onsale-login"].strip('"')))
        return session

    def set_session(self, session: object) -> None:
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
async def open_browser(base: str) -> AsyncIterator[Browser]:
    async with httpx2.AsyncClient(trust_env=False) as http:
        yield Browser(base, http)


@pytest_asyncio.fixture(loop_scope="module")
async def browser(base: str) -> AsyncIterator[Browser]:
    async with open_browser(base) as browser:
        yield browser


def tokens_of(page: httpx2.Response) -> dict[str, Any]:
    found = re.search(r'<body data-tokens="([^"]*)">', page.text)
    assert found is not None, page.text
    tokens: dict[str, Any] = json.loads(html.unescape(found[1]))
    return tokens


def reason_of(page: httpx2.Response) -> str:
    assert "data-tokens" not in page.text
    found = re.search(r'<p role="alert">(.*?)</p>', page.text)
    assert found is not None, page.text
    return html.unescape(found[1])


async def test_page_receives_the_tokens_after_a_login(browser: Browser) -> None:
    callback = await browser.sign_in(await browser.start_login())
    page = await browser.open_callback(callback)
    assert page.status_code == 200
    tokens = tokens_of(page)
    assert set(tokens) == {"access_token", "expires_in", "refresh_token", "id_token"}
    claims = jwt.decode(tokens["access_token"], options={"verify_signature": False})
    assert (claims["preferred_username"], claims["typ"]) == ("alice", "Bearer")


async def test_cookie_stores_the_state_nonce_and_verifier(browser: Browser) -> None:
    request = await browser.start_login()
    assert (request["response_type"], request["code_challenge_method"]) == ("code", "S256")
    assert request["scope"] == "openid profile email"
    assert request["redirect_uri"] == f"{browser.base}/login/callback"
    ((key, session),) = browser.session().items()
    assert key == f"_state_issuer_{request['state']}"
    assert session["data"]["nonce"] == request["nonce"]
    assert len(session["data"]["code_verifier"]) >= 43
    again = await browser.start_login()
    assert all(again[name] != request[name] for name in ("state", "nonce", "code_challenge"))


async def test_cookie_is_deleted_after_the_login(browser: Browser) -> None:
    response = await browser.http.get(f"{browser.base}/login")
    cookie = response.headers["set-cookie"]
    assert cookie.startswith("onsale-login=")
    assert {"HttpOnly", "Max-Age=600", "Path=/", "SameSite=lax"} <= set(cookie.split("; "))
    page = await browser.open_callback(
        await browser.sign_in(dict(parse_qsl(urlsplit(response.headers["location"]).query)))
    )
    assert "Max-Age=0" in page.headers["set-cookie"]
    assert "onsale-login" not in browser.http.cookies


async def test_cookie_over_https_has_the_host_prefix(base: str, tmp_path: Path) -> None:
    transport = httpx2.ASGITransport(Starlette(routes=login_routes(f"{base}/realms/onsale", client_id=CLIENT_ID)))
    async with httpx2.AsyncClient(transport=transport, base_url="https://onsale.example") as http:
        response = await http.get("/login")
    cookie = response.headers["set-cookie"]
    assert cookie.startswith("__Host-onsale-login=")
    assert {"HttpOnly", "Path=/", "SameSite=lax", "Secure"} <= set(cookie.split("; "))
    request = parse_qs(urlsplit(response.headers["location"]).query)
    assert request["redirect_uri"] == ["https://onsale.example/login/callback"]


async def test_page_is_neither_cached_nor_framed_and_runs_one_script(browser: Browser) -> None:
    page = await browser.open_callback(await browser.sign_in(await browser.start_login()))
    assert page.headers["cache-control"] == "no-store"
    assert page.headers["referrer-policy"] == "no-referrer"
    policy = page.headers["content-security-policy"]
    assert re.fullmatch(
        r"default-src 'none'; script-src 'sha256-[\w+/]{43}='; base-uri 'none'; frame-ancestors 'none'", policy
    )
    assert 'location.replace("/graphql")' in page.text
    assert not any(TOKEN.search(value) for value in page.headers.values())


@pytest.mark.parametrize("query", ["?next=http://evil.example/", "?redirect_uri=http://evil.example/"])
async def test_query_cannot_change_where_a_login_ends(browser: Browser, query: str) -> None:
    request = await browser.start_login(query)
    assert request["redirect_uri"] == f"{browser.base}/login/callback"
    page = await browser.open_callback(await browser.sign_in(request))
    assert "evil.example" not in page.text


async def test_response_in_another_browser_is_refused(browser: Browser) -> None:
    callback = await browser.sign_in(await browser.start_login())
    async with open_browser(browser.base) as other:
        page = await other.open_callback(callback)
        assert (page.status_code, reason_of(page)) == (400, NOT_STARTED)
        # A login in progress in that browser makes no difference.
        await other.start_login()
        page = await other.open_callback(callback)
        assert (page.status_code, reason_of(page)) == (400, NOT_STARTED)
    assert tokens_of(await browser.open_callback(callback))


async def test_response_is_accepted_once(browser: Browser) -> None:
    callback = await browser.sign_in(await browser.start_login())
    session = browser.session()
    assert tokens_of(await browser.open_callback(callback))
    page = await browser.open_callback(callback)
    assert (page.status_code, reason_of(page)) == (400, NOT_STARTED)
    browser.set_session(session)
    page = await browser.open_callback(callback)
    assert page.status_code == 400
    assert "used before" in reason_of(page)


@pytest.mark.parametrize("name", ["nonce", "code_verifier"])
async def test_changed_nonce_or_verifier_is_refused(browser: Browser, name: str) -> None:
    callback = await browser.sign_in(await browser.start_login())
    session = browser.session()
    next(iter(session.values()))["data"][name] = "x" * 48
    browser.set_session(session)
    page = await browser.open_callback(callback)
    assert page.status_code == 400
    assert reason_of(page)


@pytest.mark.parametrize(
    "session", [[], "x", {"_state_issuer_S": 1}, {"_state_issuer_S": {"data": {"nonce": []}}}, None]
)
async def test_malformed_session_in_the_cookie_is_refused(browser: Browser, session: object) -> None:
    browser.set_session(session)
    page = await browser.open_callback(f"{browser.base}/login/callback?code=c&state=S")
    assert (page.status_code, reason_of(page)) == (400, NOT_STARTED)


@pytest.mark.parametrize("cookie", ["", "%%%", "4pi=", "W" * 3_000])
async def test_unreadable_cookie_is_refused(browser: Browser, cookie: str) -> None:
    browser.http.cookies.set("onsale-login", cookie)
    page = await browser.open_callback(f"{browser.base}/login/callback?code=c&state=S")
    assert (page.status_code, reason_of(page)) == (400, NOT_STARTED)


async def test_response_from_another_issuer_is_refused(browser: Browser) -> None:
    callback = await browser.sign_in(await browser.start_login())
    address = re.sub(r"iss=[^&]*", "iss=http%3A%2F%2Fevil.example", callback)
    page = await browser.open_callback(address)
    assert (page.status_code, reason_of(page)) == (
        400,
        "The response came from another issuer; sign in again.",
    )


async def test_error_description_is_shown_and_escaped(browser: Browser) -> None:
    address = f"{browser.base}/login/callback?error=access_denied&error_description=%3Cscript%3Ealert(1)%3C/script%3E"
    page = await browser.open_callback(address)
    assert page.status_code == 400
    assert reason_of(page) == "<script>alert(1)</script>"
    assert "<script" not in page.text


async def test_unavailable_issuer_results_in_a_page_with_status_503() -> None:
    routes = login_routes("http://127.0.0.1:1/realms/onsale", client_id=CLIENT_ID)
    transport = httpx2.ASGITransport(Starlette(routes=routes))
    async with httpx2.AsyncClient(transport=transport, base_url="http://localhost") as http:
        response = await http.get("/login")
    assert (response.status_code, reason_of(response)) == (
        503,
        "The issuer did not answer correctly; try again in a moment.",
    )
