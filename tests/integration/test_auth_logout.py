"""Renewals and logouts through the development issuer's page over real HTTP."""

from collections.abc import AsyncIterator
from urllib.parse import parse_qsl, urlsplit

import pytest
import pytest_asyncio

from auth.sessions.oidc_client import LoginRefused
from domain.errors import SessionLost
from storage.embedded.process import ServerProcess
from tests.support.login_browser import Browser, LoginSite, login_site, open_browser, reason_of, viewer_name

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def site(tmp_path_factory: pytest.TempPathFactory, shared_valkey: ServerProcess) -> AsyncIterator[LoginSite]:
    async with login_site(tmp_path_factory.mktemp("issuer"), shared_valkey.url) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module")
async def browser(site: LoginSite) -> AsyncIterator[Browser]:
    async with open_browser(site.base) as browser:
        yield browser


async def test_session_is_renewed_at_the_issuer(site: LoginSite, browser: Browser) -> None:
    await browser.log_in()
    assert browser.session is not None
    before = await site.sessions.current(browser.session)
    site.ahead_s = 900
    after = await site.sessions.current(browser.session)
    site.ahead_s = 0
    assert (after.person_id, after.issuer_session) == (before.person_id, before.issuer_session)
    assert after.refresh_token not in (None, before.refresh_token)
    await site.sessions.viewer_of(browser.session)


async def test_logout_ends_the_session_here_and_at_the_issuer(site: LoginSite, browser: Browser) -> None:
    await browser.log_in()
    session = browser.session
    assert session is not None
    refresh_token = (await site.sessions.current(session)).refresh_token
    response = await browser.log_out(Accept="application/json")
    assert response.status_code == 200
    assert 'onsale-session=""; HttpOnly; Max-Age=0' in response.headers["set-cookie"]
    with pytest.raises(SessionLost):
        await site.sessions.viewer_of(session)
    location = response.json()["location"]
    assert location.startswith(f"{site.base}/realms/onsale/protocol/openid-connect/logout?")
    query = dict(parse_qsl(urlsplit(location).query))
    assert query["post_logout_redirect_uri"] == f"{site.base}/"
    back = await browser.http.get(location)
    assert (back.status_code, urlsplit(back.headers["location"]).path) == (303, "/")
    with pytest.raises(LoginRefused):
        await site.client.refresh(refresh_token or "")


async def test_logout_from_a_form_is_redirected(browser: Browser) -> None:
    await browser.log_in()
    response = await browser.log_out(Accept="text/html")
    assert response.status_code == 303
    assert "/protocol/openid-connect/logout?" in response.headers["location"]


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "https://evil.example", "Sec-Fetch-Site": "same-origin"},
    ],
)
async def test_other_pages_cannot_sign_a_person_out(site: LoginSite, browser: Browser, headers: dict[str, str]) -> None:
    await browser.log_in()
    response = await browser.log_out(**headers)
    assert (response.status_code, "ONSALE_PUBLIC_URL" in reason_of(response)) == (403, True)
    assert "set-cookie" not in response.headers
    assert await viewer_name(site, browser) == "alice"


async def test_logout_without_origin_is_refused(site: LoginSite, browser: Browser) -> None:
    await browser.log_in()
    assert (await browser.http.post(f"{site.base}/logout")).status_code == 403
    assert (await browser.http.get(f"{site.base}/logout")).status_code == 405
    assert await viewer_name(site, browser) == "alice"


async def test_logout_without_a_session_returns_to_the_page(site: LoginSite, browser: Browser) -> None:
    response = await browser.log_out(Accept="application/json")
    assert response.json() == {"location": f"{site.base}/"}
