"""Tokens from both issuers: the same claims, lifetimes, refusals and status codes."""

import jwt
import pytest

from auth.dev_issuer.demo_users import DEMO_USERS, find_demo_user
from settings import Settings
from tests.support.oidc_client import Issuer, claims_of, error_of

pytestmark = [
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.timeout(1_200),
]

LIFETIME_S = 300
REALM_ROLES = {"offline_access", "uma_authorization", "default-roles-onsale"}
PROFILE = {
    "email": "alice@onsale.example",
    "email_verified": True,
    "name": "Alice Demo",
    "given_name": "Alice",
    "family_name": "Demo",
    "preferred_username": "alice",
}


async def tokens_of(issuer: Issuer, name: str = "alice", **changes: str | None) -> dict[str, str]:
    answer = await issuer.web.with_password(name, **changes)
    assert answer.status_code == 200, answer.text
    tokens: dict[str, str] = answer.json()
    return tokens


async def test_password_grant_returns_tokens_that_last_five_minutes(issuer: Issuer) -> None:
    answer = await issuer.web.with_password("alice")
    assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")
    tokens = answer.json()
    claims = claims_of(tokens["access_token"])
    assert claims["exp"] - claims["iat"] == LIFETIME_S
    # Keycloak rounds the remaining time down.
    assert tokens["expires_in"] in (LIFETIME_S, LIFETIME_S - 1)
    assert tokens["refresh_expires_in"] in (1_800, 1_799)
    assert (tokens["token_type"], tokens["not-before-policy"]) == ("Bearer", 0)
    assert tokens["session_state"] == claims["sid"]
    assert set(tokens["scope"].split()) == {"openid", "profile", "email"}


async def test_access_token_has_the_claims_that_onsale_reads(issuer: Issuer) -> None:
    claims = claims_of((await tokens_of(issuer))["access_token"])
    alice = find_demo_user("alice")
    assert alice is not None
    assert claims["iss"] == issuer.url
    assert set(claims["aud"]) == {*Settings().oidc.audience, "onsale-server", "account"}
    assert (claims["typ"], claims["azp"], claims["acr"]) == ("Bearer", "onsale-web", "1")
    assert claims["sub"] == alice.subject
    assert isinstance(claims["sid"], str)
    assert isinstance(claims["jti"], str)
    assert set(claims["realm_access"]["roles"]) == {*REALM_ROLES, "customer"}
    assert set(claims["resource_access"]["account"]["roles"]) == {
        "manage-account",
        "manage-account-links",
        "view-profile",
    }
    assert set(claims["scope"].split()) == {"openid", "profile", "email"}
    assert {name: claims[name] for name in PROFILE} == PROFILE
    assert all(origin.startswith(("http://localhost:", "http://127.0.0.1:")) for origin in claims["allowed-origins"])
    assert "auth_time" not in claims


async def test_both_issuers_put_the_same_claims_into_a_token(issuer: Issuer) -> None:
    tokens = await tokens_of(issuer)
    common = {"exp", "iat", "jti", "iss", "aud", "sub", "typ", "azp", "sid"}
    access = {"acr", "allowed-origins", "realm_access", "resource_access", "scope"}
    assert set(claims_of(tokens["access_token"])) == common | access | PROFILE.keys()
    assert set(claims_of(tokens["id_token"])) == common | {"acr", "at_hash"} | PROFILE.keys()


async def test_id_and_refresh_tokens_state_their_type(issuer: Issuer) -> None:
    tokens = await tokens_of(issuer)
    identity, refresh = claims_of(tokens["id_token"]), claims_of(tokens["refresh_token"])
    assert (identity["typ"], identity["aud"]) == ("ID", "onsale-web")
    assert (refresh["typ"], refresh["aud"]) == ("Refresh", issuer.url)
    assert {identity["sid"], refresh["sid"]} == {tokens["session_state"]}
    assert jwt.get_unverified_header(tokens["access_token"])["alg"] == "RS256"
    assert jwt.get_unverified_header(tokens["refresh_token"])["alg"].startswith("HS")


@pytest.mark.parametrize("name", DEMO_USERS)
async def test_both_issuers_give_a_demo_user_the_same_id_and_roles(issuer: Issuer, name: str) -> None:
    claims = claims_of((await tokens_of(issuer, name))["access_token"])
    person = find_demo_user(name)
    assert person is not None
    assert claims["sub"] == person.subject
    assert set(claims["realm_access"]["roles"]) == {*REALM_ROLES, *person.roles}


async def test_id_token_needs_the_openid_scope(issuer: Issuer) -> None:
    tokens = await tokens_of(issuer, scope=None)
    assert "id_token" not in tokens
    assert set(tokens["scope"].split()) == {"profile", "email"}
    refused = await issuer.web.userinfo(tokens["access_token"])
    assert refused.status_code == 403
    assert 'error="insufficient_scope"' in refused.headers["www-authenticate"]


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        ({"password": "wrong"}, (400, "invalid_grant")),
        ({"username": "mallory"}, (400, "invalid_grant")),
        ({"client_id": "another"}, (401, "invalid_client")),
        ({"client_id": None}, (401, "invalid_client")),
        ({"scope": "openid nonsense"}, (400, "invalid_scope")),
        ({"grant_type": "nonsense"}, (400, "unsupported_grant_type")),
        ({"grant_type": None}, (400, "invalid_request")),
    ],
)
async def test_both_issuers_refuse_a_token_request_with_the_same_code(
    issuer: Issuer, changes: dict[str, str | None], refusal: tuple[int, str]
) -> None:
    assert error_of(await issuer.web.with_password("alice", **changes)) == refusal


async def test_confidential_client_needs_its_secret_and_cannot_use_passwords(issuer: Issuer) -> None:
    refused = (401, "unauthorized_client")
    assert error_of(await issuer.server.with_password("alice", client_secret=None)) == refused
    assert error_of(await issuer.server.with_password("alice", client_secret="wrong")) == refused
    assert error_of(await issuer.server.with_password("alice")) == (400, "unauthorized_client")


async def test_refresh_rotates_the_token_and_keeps_the_session(issuer: Issuer) -> None:
    first = await tokens_of(issuer)
    answer = await issuer.web.refresh(first["refresh_token"])
    assert answer.status_code == 200, answer.text
    second = answer.json()
    assert second["refresh_token"] != first["refresh_token"]
    before, after = claims_of(first["access_token"]), claims_of(second["access_token"])
    assert after["jti"] != before["jti"]
    assert {name: after[name] for name in ("sid", "sub", "azp")} == {
        name: before[name] for name in ("sid", "sub", "azp")
    }
    assert (await issuer.web.refresh(second["refresh_token"])).status_code == 200
    # Several tabs may renew with the same token, so the first one still works.
    assert (await issuer.web.refresh(first["refresh_token"])).status_code == 200


async def test_refresh_token_works_only_for_its_client(issuer: Issuer) -> None:
    tokens = await tokens_of(issuer)
    assert error_of(await issuer.server.refresh(tokens["refresh_token"])) == (400, "invalid_grant")
    assert (await issuer.web.refresh(tokens["refresh_token"])).status_code == 200


@pytest.mark.parametrize("kind", ["nonsense", "access_token", "id_token"])
async def test_only_a_refresh_token_can_be_used_to_refresh(issuer: Issuer, kind: str) -> None:
    tokens = await tokens_of(issuer)
    assert error_of(await issuer.web.refresh(tokens.get(kind, kind))) == (400, "invalid_grant")


async def test_userinfo_returns_the_profile(issuer: Issuer) -> None:
    tokens = await tokens_of(issuer)
    answer = await issuer.web.userinfo(tokens["access_token"])
    assert answer.json() == {"sub": claims_of(tokens["access_token"])["sub"], **PROFILE}


@pytest.mark.parametrize("kind", ["nonsense", "id_token", "refresh_token"])
async def test_userinfo_needs_an_access_token(issuer: Issuer, kind: str) -> None:
    tokens = await tokens_of(issuer)
    refused = await issuer.web.userinfo(tokens.get(kind, kind))
    assert refused.status_code == 401
    assert refused.headers["www-authenticate"].startswith('Bearer realm="onsale", error="invalid_token"')


async def test_confidential_client_introspects_tokens_of_the_public_client(issuer: Issuer) -> None:
    tokens = await tokens_of(issuer, "olivia")
    answer = await issuer.server.introspect(tokens["access_token"])
    assert answer.status_code == 200
    active, claims = answer.json(), claims_of(tokens["access_token"])
    assert active["active"] is True
    assert (active["client_id"], active["username"], active["token_type"]) == ("onsale-web", "olivia", "Bearer")
    for name in ("exp", "iat", "jti", "iss", "sub", "azp", "sid", "scope", "typ"):
        assert active[name] == claims[name]
    assert set(active["realm_access"]["roles"]) == set(claims["realm_access"]["roles"])


@pytest.mark.parametrize("kind", ["nonsense", "refresh_token"])
async def test_introspection_reveals_only_that_a_token_is_inactive(issuer: Issuer, kind: str) -> None:
    tokens = await tokens_of(issuer)
    answer = await issuer.server.introspect(tokens.get(kind, kind))
    assert (answer.status_code, answer.json()) == (200, {"active": False})


async def test_introspection_is_available_only_to_the_confidential_client(issuer: Issuer) -> None:
    token = (await tokens_of(issuer))["access_token"]
    assert error_of(await issuer.web.introspect(token)) == (403, "invalid_request")
    assert error_of(await issuer.server.introspect(token, client_secret="wrong")) == (401, "invalid_client")
    assert error_of(await issuer.web.introspect(token, client_id=None)) == (401, "invalid_client")


async def test_revoked_access_token_is_inactive_but_its_session_continues(issuer: Issuer) -> None:
    tokens = await tokens_of(issuer, "bob")
    assert (await issuer.web.revoke(tokens["access_token"])).status_code == 200
    assert (await issuer.web.userinfo(tokens["access_token"])).status_code == 401
    assert (await issuer.server.introspect(tokens["access_token"])).json() == {"active": False}
    assert (await issuer.web.refresh(tokens["refresh_token"])).status_code == 200


async def test_revoked_refresh_token_ends_the_session(issuer: Issuer) -> None:
    tokens = await tokens_of(issuer, "bob")
    assert (await issuer.web.revoke(tokens["refresh_token"])).status_code == 200
    assert error_of(await issuer.web.refresh(tokens["refresh_token"])) == (400, "invalid_grant")
    assert (await issuer.server.introspect(tokens["access_token"])).json() == {"active": False}


async def test_client_cannot_revoke_another_clients_token(issuer: Issuer) -> None:
    tokens = await tokens_of(issuer, "bob")
    assert error_of(await issuer.server.revoke(tokens["refresh_token"])) == (400, "invalid_request")
    assert (await issuer.web.revoke("nonsense")).status_code == 200
    assert (await issuer.web.refresh(tokens["refresh_token"])).status_code == 200


async def test_both_discovery_documents_list_the_same_endpoint_paths(issuer: Issuer) -> None:
    document = (await issuer.web.http.get(f"{issuer.url}/.well-known/openid-configuration")).json()
    assert document["issuer"] == issuer.url
    expected = {
        "authorization_endpoint": "/auth",
        "token_endpoint": "/token",
        "introspection_endpoint": "/token/introspect",
        "revocation_endpoint": "/revoke",
        "userinfo_endpoint": "/userinfo",
        "end_session_endpoint": "/logout",
        "jwks_uri": "/certs",
    }
    assert {name: document[name].removeprefix(issuer.web.protocol) for name in expected} == expected
    assert "S256" in document["code_challenge_methods_supported"]
    assert document["backchannel_logout_supported"] is True
    assert document["backchannel_logout_session_supported"] is True
    assert {"client_secret_basic", "client_secret_post"} <= set(document["token_endpoint_auth_methods_supported"])
