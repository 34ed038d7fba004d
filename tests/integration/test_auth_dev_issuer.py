"""The development issuer over HTTP: the claims in its tokens and the requests it refuses."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import jwt
import pytest
import pytest_asyncio

from auth.tokens import TokenVerifier
from auth.viewer import Role
from domain.errors import Unauthenticated
from storage.embedded.process import ServerProcess
from tests.support.issuer_client import (
    CLIENT_ID,
    IssuerClient,
    answer_of,
    issuer_client,
)
from tests.support.issuers import make_verifier
from tests.support.tokens import AUDIENCE

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


@module_fixture
async def verifier(client: IssuerClient) -> AsyncIterator[TokenVerifier]:
    verifier = make_verifier(client.issuer)
    yield verifier
    await verifier.aclose()


def unverified(token: str) -> dict[str, object]:
    claims: dict[str, object] = jwt.decode(token, options={"verify_signature": False})
    return claims


def error_of(response: httpx2.Response) -> tuple[int, str]:
    assert response.headers["cache-control"] == "no-store"
    assert response.json()["error_description"]
    return response.status_code, response.json()["error"]


async def test_browser_signs_in_with_code_and_pkce(client: IssuerClient, verifier: TokenVerifier) -> None:
    page = await client.authorize()
    assert page.status_code == 200
    answer = answer_of(await client.sign_in())
    assert {**answer, "code": "…"} == {"code": "…", "state": "s<t&a'te", "iss": client.issuer}

    tokens = (await client.redeem(answer["code"])).json()
    viewer = await verifier.verify(tokens["access_token"])
    assert (viewer.name, viewer.email) == ("alice", "alice@onsale.example")
    assert viewer.roles == {Role.CUSTOMER}

    identity = unverified(tokens["id_token"])
    assert identity["nonce"] == "n0nce"
    assert identity["aud"] == CLIENT_ID
    assert identity["sub"] == viewer.person_id
    assert (await client.userinfo(tokens["access_token"])).json() == {
        "sub": viewer.person_id,
        "preferred_username": "alice",
        "email": "alice@onsale.example",
        "email_verified": True,
        "name": "Alice Demo",
        "given_name": "Alice",
        "family_name": "Demo",
    }


async def test_tokens_have_the_same_claims_as_keycloak_tokens(client: IssuerClient) -> None:
    response = await client.with_password("olivia", scope="openid")
    tokens = response.json()
    assert response.headers["cache-control"] == "no-store"
    assert {name: tokens[name] for name in ("token_type", "expires_in", "refresh_expires_in", "scope")} == {
        "token_type": "Bearer",
        "expires_in": 300,
        "refresh_expires_in": 1_800,
        "scope": "openid profile email",
    }
    access, identity, refresh = (unverified(tokens[f"{kind}_token"]) for kind in ("access", "id", "refresh"))
    assert [claims["typ"] for claims in (access, identity, refresh)] == ["Bearer", "ID", "Refresh"]
    assert access.keys() >= {"exp", "iat", "jti", "iss", "aud", "sub", "azp", "sid", "acr", "scope", "realm_access"}
    assert access["aud"] == [AUDIENCE, "onsale-server", "account"]
    assert access["azp"] == CLIENT_ID
    assert access["realm_access"] == {
        "roles": ["offline_access", "uma_authorization", "default-roles-onsale", "organizer", "customer"]
    }
    assert {claims["sid"] for claims in (access, identity, refresh)} == {tokens["session_state"]}
    assert len({claims["jti"] for claims in (access, identity, refresh)}) == 3


async def test_id_token_requires_the_openid_scope(client: IssuerClient) -> None:
    tokens = (await client.with_password()).json()
    assert "id_token" not in tokens
    assert tokens["scope"] == "profile email"
    refused = await client.userinfo(tokens["access_token"])
    assert refused.status_code == 403
    assert 'error="insufficient_scope"' in refused.headers["www-authenticate"]


@pytest.mark.parametrize("kind", ["id_token", "refresh_token"])
async def test_id_and_refresh_tokens_are_refused_as_access_tokens(
    client: IssuerClient, verifier: TokenVerifier, kind: str
) -> None:
    tokens = (await client.with_password(scope="openid")).json()
    with pytest.raises(Unauthenticated):
        await verifier.verify(tokens[kind])
    assert (await client.userinfo(tokens[kind])).status_code == 401


async def test_two_processes_that_share_a_folder_act_as_one_issuer(
    client: IssuerClient, data_dir: Path, shared_valkey: ServerProcess
) -> None:
    async with issuer_client(data_dir, shared_valkey.url, issuer=client.issuer) as second:
        tokens = (await second.with_password()).json()
        verifier = make_verifier(client.issuer)
        assert (await verifier.verify(tokens["access_token"])).name == "alice"
        assert (await client.refresh(tokens["refresh_token"])).status_code == 200
        await verifier.aclose()


async def test_refresh_keeps_the_session(client: IssuerClient, verifier: TokenVerifier) -> None:
    first = (await client.with_password("gus", scope="openid")).json()
    second = (await client.refresh(first["refresh_token"])).json()
    assert second["session_state"] == first["session_state"]
    assert second["scope"] == "openid profile email"
    assert second["access_token"] != first["access_token"]
    assert (await verifier.verify(second["access_token"])).roles == {Role.GATE}
    assert (await client.refresh(second["refresh_token"])).status_code == 200


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        ({"password": "wrong"}, (400, "invalid_grant")),
        ({"username": "mallory", "password": "mallory"}, (400, "invalid_grant")),
        ({"username": None}, (400, "invalid_request")),
        ({"password": None}, (400, "invalid_request")),
        ({"password": ""}, (400, "invalid_request")),
        ({"client_id": "another"}, (401, "invalid_client")),
        ({"client_id": None}, (401, "invalid_client")),
        ({"client_secret": "guess"}, (401, "unauthorized_client")),
        ({"scope": "openid offline_access"}, (400, "invalid_scope")),
        ({"grant_type": "client_credentials"}, (400, "unsupported_grant_type")),
        ({"grant_type": "urn:ietf:params:oauth:grant-type:token-exchange"}, (400, "unsupported_grant_type")),
        ({"grant_type": '"'}, (400, "invalid_request")),
        ({"grant_type": None}, (400, "invalid_request")),
    ],
)
async def test_invalid_password_request_is_refused(
    client: IssuerClient, changes: dict[str, str | None], refusal: tuple[int, str]
) -> None:
    assert error_of(await client.with_password(**changes)) == refusal


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        ({"code_verifier": "w" * 43}, (400, "invalid_grant")),
        ({"code_verifier": "short"}, (400, "invalid_request")),
        ({"code_verifier": None}, (400, "invalid_request")),
        ({"redirect_uri": "http://localhost:5173/other"}, (400, "invalid_grant")),
        ({"redirect_uri": None}, (400, "invalid_grant")),
        ({"client_id": "another"}, (401, "invalid_client")),
        ({"code": "guess"}, (400, "invalid_grant")),
        ({"code": None}, (400, "invalid_request")),
    ],
)
async def test_code_is_redeemed_only_with_matching_parameters(
    client: IssuerClient, changes: dict[str, str | None], refusal: tuple[int, str]
) -> None:
    code = await client.code()
    assert error_of(await client.redeem(code, **changes)) == refusal


async def test_failed_redemption_uses_up_the_code(client: IssuerClient) -> None:
    code = await client.code()
    assert error_of(await client.redeem(code, code_verifier="w" * 43)) == (400, "invalid_grant")
    assert error_of(await client.redeem(code)) == (400, "invalid_grant")


async def test_replayed_code_ends_its_session(client: IssuerClient) -> None:
    code = await client.code()
    tokens = (await client.redeem(code)).json()
    assert (await client.refresh(tokens["refresh_token"])).status_code == 200
    assert error_of(await client.redeem(code)) == (400, "invalid_grant")
    assert error_of(await client.refresh(tokens["refresh_token"])) == (400, "invalid_grant")
    assert (await client.userinfo(tokens["access_token"])).status_code == 401


async def test_invalid_refresh_token_is_refused(client: IssuerClient) -> None:
    tokens = (await client.with_password(scope="openid")).json()
    for wrong in ("", "guess", tokens["refresh_token"][:-4] + "AAAA", tokens["access_token"], tokens["id_token"]):
        refused = await client.refresh(wrong)
        assert error_of(refused) == (400, "invalid_grant" if wrong else "invalid_request")
    assert error_of(await client.refresh(tokens["refresh_token"], client_id="another")) == (401, "invalid_client")


async def test_tokens_from_another_issuer_with_the_same_key_are_refused(
    client: IssuerClient, data_dir: Path, shared_valkey: ServerProcess
) -> None:
    async with issuer_client(data_dir, shared_valkey.url, issuer="http://localhost:1/realms/onsale") as other:
        tokens = (await other.with_password(scope="openid")).json()
    assert error_of(await client.refresh(tokens["refresh_token"])) == (400, "invalid_grant")
    assert (await client.userinfo(tokens["access_token"])).status_code == 401


async def test_refresh_cannot_widen_the_scope(client: IssuerClient) -> None:
    tokens = (await client.with_password()).json()
    assert (await client.refresh(tokens["refresh_token"], scope="openid")).json()["error"] == "invalid_scope"


@pytest.mark.parametrize(
    ("authorization", "challenge"),
    [
        ("", 'Bearer realm="onsale"'),
        ("Basic YTpi", 'Bearer realm="onsale"'),
        ("Bearer", 'Bearer realm="onsale"'),
        ("Bearer x", 'Bearer realm="onsale", error="invalid_token", error_description="'),
    ],
)
async def test_userinfo_requires_a_token(client: IssuerClient, authorization: str, challenge: str) -> None:
    response = await client.http.get(f"{client.protocol}/userinfo", headers={"authorization": authorization})
    assert response.status_code == 401
    assert response.headers["www-authenticate"].startswith(challenge)


async def test_discovery_document_lists_the_same_paths_as_keycloak(client: IssuerClient) -> None:
    document = (await client.http.get(f"{client.issuer}/.well-known/openid-configuration")).json()
    paths = {name: value.removeprefix(client.issuer) for name, value in document.items() if isinstance(value, str)}
    assert paths == {
        "issuer": "",
        "authorization_endpoint": "/protocol/openid-connect/auth",
        "token_endpoint": "/protocol/openid-connect/token",
        "jwks_uri": "/protocol/openid-connect/certs",
        "userinfo_endpoint": "/protocol/openid-connect/userinfo",
        "end_session_endpoint": "/protocol/openid-connect/logout",
        "introspection_endpoint": "/protocol/openid-connect/token/introspect",
        "revocation_endpoint": "/protocol/openid-connect/revoke",
    }
    assert document["code_challenge_methods_supported"] == ["S256"]
    assert document["token_endpoint_auth_methods_supported"] == ["none", "client_secret_basic", "client_secret_post"]


@pytest.mark.parametrize("path", ["token", "auth", "logout"])
async def test_huge_body_is_refused(client: IssuerClient, path: str) -> None:
    form = {"content-type": "application/x-www-form-urlencoded"}
    response = await client.http.post(f"{client.protocol}/{path}", content=b"a" * 10_000_000, headers=form)
    assert response.status_code == 413
    assert "invalid_request" in response.text


@pytest.mark.parametrize("content_type", ["application/json", "multipart/form-data; boundary=x", ""])
async def test_body_with_an_unsupported_content_type_is_refused(client: IssuerClient, content_type: str) -> None:
    headers = {"content-type": content_type}
    response = await client.http.post(f"{client.protocol}/token", content=b'{"a": 1}', headers=headers)
    assert error_of_unsupported(response) == "invalid_request"


def error_of_unsupported(response: httpx2.Response) -> str:
    assert response.status_code == 415
    return str(response.json()["error"])


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "token"), ("DELETE", "auth"), ("PUT", "logout"), ("POST", "certs")]
)
async def test_unsupported_methods_are_refused(client: IssuerClient, method: str, path: str) -> None:
    assert (await client.http.request(method, f"{client.protocol}/{path}")).status_code == 405


@pytest.mark.parametrize("path", [".well-known/openid-configuration", "protocol/openid-connect/certs"])
async def test_only_pages_from_this_machine_can_read_public_documents(client: IssuerClient, path: str) -> None:
    for origin, allowed in (
        ("http://localhost:5173", True),
        ("http://127.0.0.1", True),
        ("http://evil.example", False),
    ):
        response = await client.http.get(f"{client.issuer}/{path}", headers={"origin": origin})
        assert response.headers.get("access-control-allow-origin") == (origin if allowed else None)
        assert "access-control-allow-credentials" not in response.headers


@pytest.mark.parametrize(
    ("origin", "status"),
    [("http://localhost:5173", 200), ("http://localhost.evil.example", 400), ("https://localhost:5173", 400)],
)
async def test_preflight_allows_only_pages_from_this_machine(client: IssuerClient, origin: str, status: int) -> None:
    headers = {
        "origin": origin,
        "access-control-request-method": "POST",
        "access-control-request-headers": "content-type",
    }
    response = await client.http.options(f"{client.protocol}/token", headers=headers)
    assert response.status_code == status
