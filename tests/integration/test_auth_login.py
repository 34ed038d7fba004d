"""Logins through the development issuer's page over real HTTP."""

import asyncio
import base64
import json
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from urllib.parse import parse_qs, parse_qsl, urlsplit

import httpx2
import pytest
import pytest_asyncio
from starlette.applications import Starlette

from auth.dev_issuer.demo_users import find_demo_user
from auth.login import MAX_LOGINS, LoginInProgress, decode_login, login_routes, own_path
from auth.login_limit import LoginLimit
from auth.public_site import Site
from domain.errors import SessionLost
from domain.ids import PersonId
from domain.limits.rates import Rate
from storage.embedded.process import ServerProcess
from tests.support.issuers import make_verifier
from tests.support.login_browser import (
    Browser,
    FixedCounter,
    LoginSite,
    login_site,
    open_browser,
    reason_of,
    viewer_name,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")

NOT_STARTED = "This sign-in was not started in this browser, or it has expired; sign in again."
# No response may contain a token, not even in a redirect or a cookie.
TOKEN = re.compile(r"ey[\w-]+\.ey[\w-]+\.")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def site(tmp_path_factory: pytest.TempPathFactory, shared_valkey: ServerProcess) -> AsyncIterator[LoginSite]:
    async with login_site(tmp_path_factory.mktemp("issuer"), shared_valkey.url) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module")
async def browser(site: LoginSite) -> AsyncIterator[Browser]:
    async with open_browser(site.base) as browser:
        yield browser


async def test_login_ends_with_a_session_and_no_token_in_the_browser(site: LoginSite, browser: Browser) -> None:
    response = await browser.log_in()
    assert (response.status_code, response.headers["location"]) == (303, f"{site.base}/")
    assert await viewer_name(site, browser) == "alice"
    assert browser.logins == []
    assert not TOKEN.search(response.text + str(response.headers))


async def test_session_cookie_is_hidden_from_scripts_and_other_sites(browser: Browser) -> None:
    response = await browser.log_in()
    [cookie] = [value for value in response.headers.get_list("set-cookie") if value.startswith("onsale-session=")]
    assert re.fullmatch(r"onsale-session=[\w-]{43}; HttpOnly; Path=/; SameSite=lax", cookie)


async def test_login_uses_pkce_and_the_public_address(browser: Browser) -> None:
    request = await browser.start_login()
    assert (request["response_type"], request["code_challenge_method"]) == ("code", "S256")
    assert request["scope"] == "openid profile email"
    assert request["redirect_uri"] == f"{browser.base}/login/callback"
    again = await browser.start_login()
    assert all(again[name] != request[name] for name in ("state", "nonce", "code_challenge"))


@pytest.mark.parametrize("name", ["host", "x-forwarded-host"])
async def test_no_header_changes_the_redirect_address(browser: Browser, name: str) -> None:
    response = await browser.http.get(f"{browser.base}/login", headers={name: "evil.example"})
    query = dict(parse_qsl(urlsplit(response.headers["location"]).query))
    assert query["redirect_uri"] == f"{browser.base}/login/callback"


async def test_public_https_address_uses_host_prefixed_cookies(site: LoginSite) -> None:
    public = Site("https://tickets.example")
    issuer = f"{site.base}/realms/onsale"
    login = LoginSite().open(issuer, make_verifier(issuer), site=public)
    transport = httpx2.ASGITransport(Starlette(routes=login_routes(lambda _: login)))
    # The proxy in front terminates TLS, so this server sees plain HTTP.
    async with httpx2.AsyncClient(transport=transport, base_url="http://tickets.example") as http:
        response = await http.get("/login")
    cookie = response.headers["set-cookie"]
    assert cookie.startswith("__Host-onsale-login-")
    assert {"HttpOnly", "Max-Age=600", "Path=/", "SameSite=lax", "Secure"} <= set(cookie.split("; "))
    request = parse_qs(urlsplit(response.headers["location"]).query)
    assert request["redirect_uri"] == ["https://tickets.example/login/callback"]


async def test_login_at_this_machines_other_name_is_redirected_first(site: LoginSite, browser: Browser) -> None:
    host = urlsplit(site.base).netloc.replace("127.0.0.1", "localhost")
    response = await browser.http.get(f"{site.base}/login?return=/a%3Fb%3D1%26c", headers={"host": host})
    assert response.headers["location"] == f"{site.base}/login?return=/a%3Fb%3D1%26c"
    assert "set-cookie" not in response.headers


# Where a login ends


@pytest.mark.parametrize("path", ["/", "/graphql?x=1&y=/", "/a/b//c", "/@me:x", "/%2F%2Fevil.example"])
async def test_login_returns_to_a_path_on_this_site(browser: Browser, path: str) -> None:
    response = await browser.log_in(f"?{httpx2.QueryParams({'return': path})}")
    assert response.headers["location"] == f"{browser.base}{path}"


@pytest.mark.parametrize(
    "path",
    [
        "http://evil.example/",
        "//evil.example",
        "/\\evil.example",
        "/a\\..\\b",
        "\\\\evil.example",
        "/\t/evil.example",
        "/\n//evil.example",
        " //evil.example",
        "javascript:alert(1)",
        "graphql",
        "",
        "/é",
        "/" + "a" * 1_000,
    ],
)
async def test_login_never_returns_to_another_site(browser: Browser, path: str) -> None:
    assert own_path(path) == "/"
    response = await browser.log_in(f"?{httpx2.QueryParams({'return': path})}")
    assert response.headers["location"] == f"{browser.base}/"


@pytest.mark.parametrize("query", ["?next=http://evil.example/", "?redirect_uri=http://evil.example/"])
async def test_other_parameters_do_not_change_where_a_login_ends(browser: Browser, query: str) -> None:
    response = await browser.log_in(query)
    assert response.headers["location"] == f"{browser.base}/"


# Several logins in one browser


async def test_several_tabs_can_sign_in_at_the_same_time(site: LoginSite, browser: Browser) -> None:
    requests = [await browser.start_login(f"?return=/tab-{number}") for number in range(3)]
    assert len(browser.logins) == 3
    callbacks = [await browser.sign_in(request) for request in requests]
    for number in (2, 0, 1):
        response = await browser.http.get(callbacks[number])
        assert (response.status_code, response.headers["location"]) == (303, f"{site.base}/tab-{number}")
        assert await viewer_name(site, browser) == "alice"
    assert browser.logins == []


async def test_new_login_ends_the_browsers_earlier_session(site: LoginSite, browser: Browser) -> None:
    await browser.log_in()
    earlier = browser.session
    assert earlier is not None
    await browser.log_in(name="bob")
    assert await viewer_name(site, browser) == "bob"
    with pytest.raises(SessionLost):
        await site.sessions.viewer_of(earlier)


async def test_oldest_of_too_many_logins_is_forgotten(browser: Browser) -> None:
    first = await browser.start_login()
    for _ in range(MAX_LOGINS + 2):
        await browser.start_login()
    assert len(browser.logins) == MAX_LOGINS
    page = await browser.http.get(await browser.sign_in(first))
    assert (page.status_code, reason_of(page)) == (400, NOT_STARTED)


async def test_unknown_state_does_not_affect_a_login_in_progress(site: LoginSite, browser: Browser) -> None:
    callback = await browser.sign_in(await browser.start_login())
    foreign = re.sub(r"state=[^&]*", "state=unknown", callback)
    page = await browser.http.get(foreign)
    assert (page.status_code, reason_of(page)) == (400, NOT_STARTED)
    assert browser.session is None
    assert (await browser.http.get(callback)).status_code == 303
    assert await viewer_name(site, browser) == "alice"


async def test_link_on_another_page_cannot_choose_the_error_text(browser: Browser) -> None:
    page = await browser.http.get(f"{browser.base}/login/callback?state=x&error=x&error_description=Call+0900+1234")
    assert (page.status_code, reason_of(page)) == (400, NOT_STARTED)
    assert "0900" not in page.text


async def test_repeated_callback_keeps_the_person_signed_in(site: LoginSite, browser: Browser) -> None:
    callback = await browser.sign_in(await browser.start_login())
    await browser.http.get(callback)
    session = browser.session
    response = await browser.http.get(callback)
    assert (response.status_code, response.headers["location"]) == (303, f"{site.base}/")
    assert browser.session == session


async def test_code_works_only_once_even_if_its_cookie_is_restored(browser: Browser) -> None:
    callback = await browser.sign_in(await browser.start_login())
    [name] = browser.logins
    value = browser.http.cookies[name]
    await browser.http.get(callback)
    browser.http.cookies.clear()
    browser.http.cookies.set(name, value)
    page = await browser.http.get(callback)
    assert page.status_code == 400
    assert "used before" in reason_of(page)
    assert browser.session is None


async def test_two_simultaneous_callbacks_create_one_session(site: LoginSite, browser: Browser) -> None:
    callback = await browser.sign_in(await browser.start_login())
    before = len(site.store.sealed)
    answers = await asyncio.gather(browser.http.get(callback), browser.http.get(callback))
    assert sorted(answer.status_code for answer in answers) == [303, 400]
    assert len(site.store.sealed) == before + 1


async def test_callback_in_another_browser_is_refused(site: LoginSite, browser: Browser) -> None:
    callback = await browser.sign_in(await browser.start_login())
    async with open_browser(site.base) as other:
        await other.start_login()
        page = await other.http.get(callback)
        assert (page.status_code, reason_of(page)) == (400, NOT_STARTED)
        assert (other.session, len(other.logins)) == (None, 1)
    assert (await browser.http.get(callback)).status_code == 303


@pytest.mark.parametrize("name", ["nonce", "code_verifier"])
async def test_changed_nonce_or_verifier_is_refused(browser: Browser, name: str) -> None:
    callback = await browser.sign_in(await browser.start_login())
    login = decode_login(browser.http.cookies[browser.logins[0]])
    assert login is not None
    changed = replace(login, nonce="x" * 48) if name == "nonce" else replace(login, code_verifier="x" * 48)
    cookie = browser.logins[0]
    browser.http.cookies.clear()
    browser.http.cookies.set(cookie, changed.encode())
    page = await browser.http.get(callback)
    assert page.status_code == 400
    assert reason_of(page)
    assert browser.session is None


async def test_response_from_another_issuer_is_refused(browser: Browser) -> None:
    callback = await browser.sign_in(await browser.start_login())
    page = await browser.http.get(re.sub(r"iss=[^&]*", "iss=http%3A%2F%2Fevil.example", callback))
    assert (page.status_code, reason_of(page)) == (400, "The response came from another issuer; sign in again.")
    assert browser.session is None


async def test_error_from_the_issuer_is_shown_and_escaped(browser: Browser) -> None:
    request = await browser.start_login()
    answer = f"state={request['state']}&error=access_denied&error_description=%3Cscript%3Ealert(1)%3C/script%3E"
    page = await browser.http.get(f"{browser.base}/login/callback?{answer}")
    assert (page.status_code, reason_of(page)) == (400, "<script>alert(1)</script>")
    assert "<script" not in page.text
    assert "default-src 'none'" in page.headers["content-security-policy"]


async def test_error_without_a_login_is_not_shown(browser: Browser) -> None:
    """Any page can link to such an address and choose its text."""
    page = await browser.http.get(f"{browser.base}/login/callback?state=x&error_description=Call%200900-555")
    assert page.status_code == 400
    assert reason_of(page).startswith("This sign-in was not started in this browser")
    assert "0900" not in page.text


LOGIN: dict[str, object] = {"state": "S", "nonce": "n", "code_verifier": "v", "return_to": "/", "started_ms": 1}


def encoded(content: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(content).encode()).decode()


@pytest.mark.parametrize(
    "value",
    [
        "",
        "%%%",
        "4pi=",
        "W" * 3_000,
        *map(
            encoded,
            [
                [],
                "x",
                None,
                {},
                {**LOGIN, "nonce": []},
                {**LOGIN, "started_ms": "x"},
                {**LOGIN, "extra": 1},
                {**LOGIN, "return_to": "//evil.example"},
            ],
        ),
    ],
)
async def test_unreadable_login_cookie_is_ignored(value: str) -> None:
    assert decode_login(value) is None


async def test_login_cookie_is_read_as_written() -> None:
    login = LoginInProgress("S", "n", "v", "/", 1)
    assert decode_login(login.encode()) == login


async def test_revoked_person_gets_no_session(site: LoginSite, browser: Browser) -> None:
    carol = find_demo_user("carol")
    assert carol is not None
    site.revocations.people.add(PersonId(carol.subject))
    response = await browser.log_in(name="carol")
    assert response.status_code == 400
    assert reason_of(response).startswith("Your session has ended; sign in again.")
    assert browser.session is None


async def test_unavailable_issuer_results_in_a_page_with_status_503() -> None:
    issuer = "http://127.0.0.1:1/realms/onsale"
    login = LoginSite(base="http://localhost").open(issuer, make_verifier(issuer))
    transport = httpx2.ASGITransport(Starlette(routes=login_routes(lambda _: login)))
    async with httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1") as http:
        response = await http.get("/login")
    assert (response.status_code, reason_of(response)) == (
        503,
        "The issuer did not answer correctly; try again in a moment.",
    )


async def test_login_over_the_limit_for_its_address_says_when_to_retry(site: LoginSite) -> None:
    limited = LoginSite(base=site.base, limit=LoginLimit(FixedCounter(wait_s=7), Rate(5, 60)))
    issuer = f"{site.base}/realms/onsale"
    login = limited.open(issuer, make_verifier(issuer))
    transport = httpx2.ASGITransport(Starlette(routes=login_routes(lambda _: login)))
    async with httpx2.AsyncClient(transport=transport, base_url=site.base) as http:
        response = await http.get("/login")
    assert (response.status_code, response.headers["retry-after"]) == (429, "7")
    assert reason_of(response) == "The limit for logins is 5 in 60 s per address; try again in 7 s."
    assert "set-cookie" not in response.headers
