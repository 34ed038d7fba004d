"""Login on both issuers' pages (code flow with PKCE), and logout, including back-channel logout."""

from urllib.parse import parse_qsl

import jwt
import pytest

from tests.support.oidc_client import AFTER_LOGOUT, Issuer, OidcClient, answer_of, claims_of, error_of

pytestmark = [
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.timeout(1_200),
]

LOGOUT_EVENT = "http://schemas.openid.net/event/backchannel-logout"


@pytest.fixture(params=["web", "server"])
def client(request: pytest.FixtureRequest, issuer: Issuer) -> OidcClient:
    found = getattr(issuer, request.param)
    assert isinstance(found, OidcClient)
    return found


async def test_login_with_code_and_pkce_returns_tokens(issuer: Issuer, client: OidcClient) -> None:
    answer = await client.answer("carol")
    assert (answer["state"], answer["iss"]) == ("s<t&a'te", issuer.url)
    redeemed = await client.redeem(answer["code"])
    assert redeemed.status_code == 200, redeemed.text
    access, identity = (claims_of(redeemed.json()[f"{kind}_token"]) for kind in ("access", "id"))
    assert (access["preferred_username"], access["azp"]) == ("carol", client.client_id)
    assert (identity["aud"], identity["nonce"]) == (client.client_id, "n0nce")
    assert identity["auth_time"] == access["auth_time"] <= access["iat"]
    assert identity["sub"] == access["sub"]


async def test_wrong_password_shows_the_page_again(issuer: Issuer) -> None:
    answer = await issuer.web.sign_in("carol", password="wrong")
    assert "location" not in answer.headers
    assert 'name="password"' in answer.text


@pytest.mark.parametrize(
    "changes",
    [
        {"code_challenge": None, "code_challenge_method": None},
        {"code_challenge_method": "plain"},
    ],
)
async def test_login_without_s256_is_refused(client: OidcClient, changes: dict[str, str | None]) -> None:
    answer = answer_of(await client.authorize(**changes))
    assert (answer["error"], answer["state"]) == ("invalid_request", "s<t&a'te")
    assert "code" not in answer


async def test_login_with_prompt_none_and_no_session_is_refused(issuer: Issuer) -> None:
    assert answer_of(await issuer.web.authorize(prompt="none"))["error"] == "login_required"


@pytest.mark.parametrize("changes", [{"redirect_uri": "http://evil.example/"}, {"client_id": "another"}])
async def test_browser_is_never_sent_to_an_unregistered_address(issuer: Issuer, changes: dict[str, str | None]) -> None:
    answer = await issuer.web.authorize(**changes)
    assert answer.status_code == 400
    assert "location" not in answer.headers


@pytest.mark.parametrize(
    "changes", [{"code_verifier": "w" * 43}, {"redirect_uri": "http://localhost:8000/other"}, {"code": "guess"}]
)
async def test_code_needs_matching_parameters(issuer: Issuer, changes: dict[str, str | None]) -> None:
    code = (await issuer.web.answer("carol"))["code"]
    assert error_of(await issuer.web.redeem(code, **changes)) == (400, "invalid_grant")


async def test_code_for_the_server_client_needs_its_secret(issuer: Issuer) -> None:
    code = (await issuer.server.answer("carol"))["code"]
    assert error_of(await issuer.server.redeem(code, client_secret=None)) == (401, "unauthorized_client")


async def test_replayed_code_ends_its_session(issuer: Issuer) -> None:
    code = (await issuer.web.answer("carol"))["code"]
    tokens = (await issuer.web.redeem(code)).json()
    assert error_of(await issuer.web.redeem(code)) == (400, "invalid_grant")
    assert error_of(await issuer.web.refresh(tokens["refresh_token"])) == (400, "invalid_grant")


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_logout_ends_the_session_and_returns_to_the_client(client: OidcClient, method: str) -> None:
    tokens = await client.signed_in("carol")
    back = {"id_token_hint": tokens["id_token"], "post_logout_redirect_uri": AFTER_LOGOUT, "state": "s&"}
    answer = await client.logout(method, **back)
    assert answer.status_code in (302, 303)
    assert answer.headers["location"] == f"{AFTER_LOGOUT}?state=s%26"
    assert error_of(await client.refresh(tokens["refresh_token"])) == (400, "invalid_grant")
    assert (await client.userinfo(tokens["access_token"])).status_code == 401


@pytest.mark.parametrize(
    "changes", [{"post_logout_redirect_uri": "http://evil.example/"}, {"id_token_hint": "forged.id.token"}]
)
async def test_refused_logout_keeps_the_session(issuer: Issuer, changes: dict[str, str]) -> None:
    tokens = (await issuer.web.with_password("carol")).json()
    back = {"id_token_hint": tokens["id_token"], "post_logout_redirect_uri": AFTER_LOGOUT}
    answer = await issuer.web.logout(**{**back, **changes})
    assert answer.status_code == 400
    assert "location" not in answer.headers
    assert (await issuer.web.refresh(tokens["refresh_token"])).status_code == 200


async def test_logged_out_session_is_no_longer_active(issuer: Issuer) -> None:
    tokens = await issuer.server.signed_in("carol")
    assert (await issuer.server.introspect(tokens["access_token"])).json()["active"] is True
    await issuer.server.logout(id_token_hint=tokens["id_token"])
    assert (await issuer.server.introspect(tokens["access_token"])).json() == {"active": False}


async def test_logout_token_tells_the_server_of_a_logout(issuer: Issuer, logout_tokens: list[str]) -> None:
    tokens = await issuer.server.signed_in("carol")
    logout_tokens.clear()
    await issuer.server.logout(id_token_hint=tokens["id_token"])

    [body] = logout_tokens
    [(name, token)] = parse_qsl(body)
    assert name == "logout_token"
    header, claims = jwt.get_unverified_header(token), claims_of(token)
    assert (header["typ"], header["alg"]) == ("logout+jwt", "RS256")
    assert header["kid"] == jwt.get_unverified_header(tokens["access_token"])["kid"]
    assert set(claims) == {"exp", "iat", "jti", "iss", "aud", "sub", "typ", "sid", "events"}
    assert claims["exp"] - claims["iat"] == 120
    assert (claims["iss"], claims["aud"], claims["typ"]) == (issuer.url, "onsale-server", "Logout")
    assert (claims["sid"], claims["sub"]) == (tokens["session_state"], claims_of(tokens["access_token"])["sub"])
    assert claims["events"] == {LOGOUT_EVENT: {}}


async def test_public_client_logout_posts_no_logout_token(issuer: Issuer, logout_tokens: list[str]) -> None:
    tokens = (await issuer.web.with_password("carol")).json()
    logout_tokens.clear()
    await issuer.web.logout(id_token_hint=tokens["id_token"])
    assert error_of(await issuer.web.refresh(tokens["refresh_token"])) == (400, "invalid_grant")
    assert logout_tokens == []
