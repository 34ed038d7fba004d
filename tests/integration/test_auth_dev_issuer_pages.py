"""The development issuer's pages: sign-in, sign-out and refused redirects."""

import re
from collections.abc import AsyncIterator
from html.parser import HTMLParser
from pathlib import Path

import jwt
import pytest
import pytest_asyncio

from storage.embedded.process import ServerProcess
from tests.support.issuer_client import REDIRECT_URI, IssuerClient, answer_of, issuer_client

# One issuer serves all tests in this file; each test signs in again and has its own session.
pytestmark = pytest.mark.asyncio(loop_scope="module")
module_fixture = pytest_asyncio.fixture(scope="module", loop_scope="module")


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("issuer")


@module_fixture
async def client(data_dir: Path, shared_valkey: ServerProcess) -> AsyncIterator[IssuerClient]:
    async with issuer_client(data_dir, shared_valkey.url) as running:
        yield running


@pytest.mark.parametrize(
    "changes",
    [
        {"redirect_uri": "http://evil.example/callback"},
        {"redirect_uri": "http://localhost:5173@evil.example/"},
        {"redirect_uri": 'http://localhost:5173/"><script>'},
        {"redirect_uri": None},
        {"client_id": "another"},
        {"client_id": None},
        {"redirect_uri": "http://evil.example/", "response_type": "token"},
    ],
)
async def test_browser_is_never_redirected_to_an_unregistered_address(
    client: IssuerClient, changes: dict[str, str | None]
) -> None:
    for response in (await client.authorize(**changes), await client.sign_in(**changes)):
        assert response.status_code == 400
        assert "location" not in response.headers
        assert "Error code: <code>invalid_" in response.text or "unsupported_response_type" in response.text
        assert "<script" not in response.text


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"response_type": None}, "unsupported_response_type"),
        ({"scope": "admin"}, "invalid_scope"),
        ({"code_challenge": None}, "invalid_request"),
        ({"code_challenge": None, "code_challenge_method": None}, "invalid_request"),
        ({"code_challenge": "short"}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge_method": None}, "invalid_request"),
        ({"prompt": "none"}, "login_required"),
    ],
)
async def test_error_is_sent_to_the_redirect_uri(
    client: IssuerClient, changes: dict[str, str | None], error: str
) -> None:
    for response in (await client.authorize(**changes), await client.sign_in(**changes)):
        answer = answer_of(response)
        assert (answer["error"], answer["state"], answer["iss"]) == (error, "s<t&a'te", client.issuer)
        assert "code" not in answer


class Form(HTMLParser):
    """Parses the form on a page, so that a test can submit it as a browser would."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.action: str | None = None
        self.fields: dict[str, str | None] = {}
        self.tags: set[str] = set()
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        attributes = dict(attrs)
        if tag == "form":
            self.action = attributes["action"]
        if tag == "input":
            self.fields[str(attributes["name"])] = attributes.get("value")


async def test_submitting_the_form_signs_in(client: IssuerClient) -> None:
    page = await client.authorize(state="\"><script>alert('é')</script>")
    form = Form(page.text)
    assert form.action == "auth"
    filled = {**form.fields, "username": "bob", "password": "bob"}
    answer = answer_of(await client.http.post(f"{client.protocol}/{form.action}", data=filled))
    assert answer["state"] == "\"><script>alert('é')</script>"
    assert await _name_of(client, answer["code"]) == "bob"


async def test_page_runs_no_scripts_and_loads_only_its_stylesheet(client: IssuerClient) -> None:
    page = await client.authorize(state="<script>", login_hint='"><img src=x>')
    assert Form(page.text).tags.isdisjoint({"script", "style", "img", "iframe"})
    assert re.findall("<link[^>]*>", page.text) == ['<link rel="stylesheet" href="/pages/plain.css">']
    assert "http" not in page.text.replace(f'value="{REDIRECT_URI}"', "")
    policy = page.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; style-src 'self'; ")
    assert "form-action 'self' http://localhost:5173;" in policy
    assert "frame-ancestors 'none'" in policy
    assert page.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    "changes",
    [{"password": "wrong"}, {"password": None}, {"username": '"><script>', "password": "x"}],
)
async def test_wrong_password_shows_the_page_again(client: IssuerClient, changes: dict[str, str | None]) -> None:
    page = await client.sign_in(**changes)
    assert page.status_code == 403
    assert '<p class="error" id="error" role="alert">Wrong name or password.</p>' in page.text
    assert "<script" not in page.text
    assert "wrong" not in page.text
    assert Form(page.text).fields["state"] == "s<t&a'te"


async def test_credentials_in_a_url_do_not_sign_in(client: IssuerClient) -> None:
    page = await client.authorize(username="alice", password="alice")
    assert page.status_code == 200
    assert Form(page.text).fields["password"] is None


async def test_logout_ends_the_session_and_redirects_back(client: IssuerClient) -> None:
    tokens = (await client.redeem(await client.code())).json()
    back = "http://localhost:5173/bye"
    response = await client.logout(id_token_hint=tokens["id_token"], post_logout_redirect_uri=back, state="s&")
    assert (response.status_code, response.headers["location"]) == (303, f"{back}?state=s%26")
    assert (await client.refresh(tokens["refresh_token"])).json()["error"] == "invalid_grant"
    assert (await client.userinfo(tokens["access_token"])).status_code == 401


@pytest.mark.parametrize(
    "parameters",
    [
        {"post_logout_redirect_uri": "http://evil.example/"},
        {"client_id": "another"},
        {"id_token_hint": "forged.id.token"},
        {"id_token_hint": ""},
    ],
)
async def test_invalid_logout_does_not_end_the_session(client: IssuerClient, parameters: dict[str, str]) -> None:
    tokens = (await client.with_password(scope="openid")).json()
    back = {"id_token_hint": tokens["id_token"], "post_logout_redirect_uri": "http://localhost:5173/"}
    response = await client.logout(**{**back, **parameters})
    assert response.status_code == 400
    assert "location" not in response.headers
    assert (await client.refresh(tokens["refresh_token"])).status_code == 200


@pytest.mark.parametrize("kind", ["access_token", "refresh_token"])
async def test_logout_accepts_only_an_id_token_as_a_hint(client: IssuerClient, kind: str) -> None:
    tokens = (await client.with_password(scope="openid")).json()
    assert (await client.logout(id_token_hint=tokens[kind])).status_code == 400
    assert (await client.refresh(tokens["refresh_token"])).status_code == 200


async def test_logout_without_a_session_shows_a_page(client: IssuerClient) -> None:
    response = await client.logout()
    assert response.status_code == 200
    assert "You are signed out" in response.text


async def test_other_origins_cannot_read_the_sign_in_page(client: IssuerClient) -> None:
    response = await client.http.get(f"{client.protocol}/auth", headers={"origin": "http://localhost:5173"})
    assert "access-control-allow-origin" not in response.headers


async def _name_of(client: IssuerClient, code: str) -> object:
    tokens = (await client.redeem(code)).json()
    return jwt.decode(tokens["access_token"], options={"verify_signature": False})["preferred_username"]
