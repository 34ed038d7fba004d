"""Changes by a Keycloak administrator reach Onsale: roles, people, clients and keys."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import httpx2
import jwt
import pytest
import pytest_asyncio

from deploy.keycloak.admin import KeycloakAdmin
from deploy.keycloak.server import server_url
from settings.oidc import ALGORITHMS
from tests.support.api_client import ApiClient
from tests.support.keycloak import BackgroundKeycloak
from tests.support.oidc_client import Issuer, OidcClient, claims_of, error_of
from tests.support.shop import CREATE, concert_input
from tests.support.waiting import wait_until

pytestmark = [
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.timeout(1_200),
]

KEYS = {
    "RS256": ("rsa-generated", {"keySize": "2048"}),
    "PS256": ("rsa-generated", {"keySize": "2048"}),
    "ES256": ("ecdsa-generated", {"ecdsaEllipticCurveKey": "P-256"}),
    "EdDSA": ("eddsa-generated", {"eddsaEllipticCurveKey": "Ed25519"}),
}


@pytest.fixture(scope="session")
def issuer(keycloak_issuer: Issuer) -> Issuer:
    """Keycloak alone, because the development issuer has no administrator."""
    return keycloak_issuer


@pytest_asyncio.fixture(loop_scope="session")
async def signing_keys(admin: KeycloakAdmin) -> AsyncIterator["SigningKeyProviders"]:
    """Keys that a test adds; afterward they are withdrawn, and the realm signs with RS256 again."""
    providers = SigningKeyProviders(admin)
    yield providers
    providers.sign_with("RS256")
    for name in list(providers.ids):
        providers.withdraw(name)


class SigningKeyProviders:
    def __init__(self, admin: KeycloakAdmin) -> None:
        self._admin = admin
        self._realm_id = admin.get("")["id"]
        self.ids: dict[str, str] = {}

    def add(self, name: str, algorithm: str, *, priority: int) -> None:
        provider, config = KEYS[algorithm]
        values = {"priority": str(priority), "enabled": "true", "active": "true", **config}
        if provider == "rsa-generated":
            values["algorithm"] = algorithm
        component = {
            "name": name,
            "providerId": provider,
            "providerType": "org.keycloak.keys.KeyProvider",
            "parentId": self._realm_id,
            "config": {key: [value] for key, value in values.items()},
        }
        self._admin.post("components", component)
        [stored] = self._admin.get("components", name=name, type="org.keycloak.keys.KeyProvider")
        self.ids[name] = stored["id"]

    def withdraw(self, name: str) -> None:
        self._admin.delete(f"components/{self.ids.pop(name)}")

    def sign_with(self, algorithm: str) -> None:
        self._admin.put("", {**self._admin.get(""), "defaultSignatureAlgorithm": algorithm})


async def token_of(client: OidcClient, name: str = "alice") -> str:
    answer = await client.with_password(name)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["access_token"])


async def create_concert(api: ApiClient, token: str) -> Any:
    return (await api.ask(token, CREATE, input=concert_input())).json()


@asynccontextmanager
async def role_of(admin: KeycloakAdmin, name: str, role: str) -> AsyncIterator[None]:
    """Give a person a realm role for the duration of the block."""
    [user] = admin.get("users", username=name, exact="true")
    mapping, roles = f"users/{user['id']}/role-mappings/realm", [admin.get(f"roles/{role}")]
    admin.post(mapping, roles)
    try:
        yield
    finally:
        admin.delete(mapping, roles)


async def test_renewed_token_reflects_an_added_and_a_removed_role(
    issuer: Issuer, api: ApiClient, admin: KeycloakAdmin
) -> None:
    tokens = (await issuer.web.with_password("bob")).json()

    async def renewed() -> str:
        return str((await issuer.web.refresh(tokens["refresh_token"])).json()["access_token"])

    assert "FORBIDDEN" in str(await create_concert(api, tokens["access_token"]))
    async with role_of(admin, "bob", "organizer"):
        with_role = await renewed()
        assert "FORBIDDEN" in str(await create_concert(api, tokens["access_token"]))
        assert "concert" in (await create_concert(api, with_role))["data"]["createConcert"]
    without_role = await renewed()
    assert "organizer" not in claims_of(without_role)["realm_access"]["roles"]
    assert "FORBIDDEN" in str(await create_concert(api, without_role))


async def test_disabled_person_can_neither_renew_nor_sign_in(issuer: Issuer, admin: KeycloakAdmin) -> None:
    tokens = (await issuer.web.with_password("bob")).json()
    [user] = admin.get("users", username="bob", exact="true")
    admin.put(f"users/{user['id']}", {**user, "enabled": False})
    try:
        assert error_of(await issuer.web.refresh(tokens["refresh_token"])) == (400, "invalid_grant")
        assert error_of(await issuer.web.with_password("bob")) == (400, "invalid_grant")
        assert (await issuer.web.userinfo(tokens["access_token"])).status_code == 401
    finally:
        admin.put(f"users/{user['id']}", {**user, "enabled": True})
    assert (await issuer.web.with_password("bob")).status_code == 200


@pytest.mark.parametrize("client_id", ["test-no-audience", "test-lightweight", "test-lightweight-audience"])
async def test_token_that_is_not_for_this_api_is_refused(issuer: Issuer, api: ApiClient, client_id: str) -> None:
    token = await token_of(OidcClient(issuer.url, issuer.web.http, client_id))
    answer = await api.ask(token)
    assert answer.status_code == 401
    assert answer.json()["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"


async def test_token_from_another_realm_is_refused(
    keycloak: BackgroundKeycloak, issuer: Issuer, api: ApiClient
) -> None:
    master = OidcClient(f"{server_url(keycloak.port)}/realms/master", issuer.web.http, "admin-cli")
    answer = await api.ask(await token_of(master, "admin"))
    assert answer.status_code in (401, 503)
    assert "data" not in answer.json()


async def test_token_with_an_rfc_9068_header_is_accepted(issuer: Issuer, api: ApiClient) -> None:
    token = await token_of(OidcClient(issuer.url, issuer.web.http, "test-rfc9068"))
    assert jwt.get_unverified_header(token)["typ"] == "at+jwt"
    assert await api.accepts(token)


async def test_token_without_full_scope_has_no_role(issuer: Issuer, api: ApiClient) -> None:
    token = await token_of(OidcClient(issuer.url, issuer.web.http, "test-no-full-scope"), "olivia")
    assert (await api.ask(token)).json()["data"]["me"]["roles"] == []
    assert "FORBIDDEN" in str(await create_concert(api, token))


async def test_service_account_has_no_role(issuer: Issuer, api: ApiClient) -> None:
    robot = OidcClient(issuer.url, issuer.web.http, "test-robot", "test-robot-secret")
    answer: httpx2.Response = await robot.with_password(
        "x", grant_type="client_credentials", username=None, password=None
    )
    token = answer.json()["access_token"]
    assert "sid" not in claims_of(token)
    assert "FORBIDDEN" in str(await create_concert(api, token))


async def test_new_keys_are_accepted_throughout_a_rotation(
    issuer: Issuer, api: ApiClient, signing_keys: SigningKeyProviders
) -> None:
    old = await token_of(issuer.web)
    assert await api.accepts(old)
    for priority, algorithm in enumerate(KEYS, start=200):
        signing_keys.add(f"test-{algorithm}", algorithm, priority=priority)
        signing_keys.sign_with(algorithm)
        token = await token_of(issuer.web)
        assert jwt.get_unverified_header(token)["alg"] == algorithm
        if algorithm in ALGORITHMS:
            await wait_until(partial(_is_accepted, api, token), what=f"a token signed with {algorithm}")
        else:
            assert (await api.ask(token)).status_code == 401
        # Tokens signed with an older key are still accepted.
        assert await api.accepts(old)


async def test_token_signed_with_a_withdrawn_key_is_refused_after_the_next_fetch(
    issuer: Issuer, api: ApiClient, signing_keys: SigningKeyProviders
) -> None:
    signing_keys.add("withdrawn", "RS256", priority=300)
    old = await token_of(issuer.web)
    await wait_until(lambda: _is_accepted(api, old), what="a token signed with the added key")
    signing_keys.withdraw("withdrawn")
    # Onsale fetches the keys again when a token is signed with a key that it does not know yet.
    signing_keys.add("next", "RS256", priority=301)
    new = await token_of(issuer.web)
    assert jwt.get_unverified_header(new)["kid"] != jwt.get_unverified_header(old)["kid"]
    await wait_until(lambda: _is_accepted(api, new), what="a token signed with the next key")
    assert not await api.accepts(old)


async def _is_accepted(api: ApiClient, token: str) -> bool:
    """Return whether the token is accepted; it is refused until Onsale may fetch its key."""
    return (await api.ask(token)).status_code == 200
