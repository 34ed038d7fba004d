"""Changes without a logout token reach an organizer's connections at the next recheck."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial

import pytest
import pytest_asyncio

from deploy.keycloak.admin import KeycloakAdmin
from storage.embedded.process import ServerProcess
from tests.support.api_client import ApiClient
from tests.support.application import Application, started
from tests.support.keycloak_site import token_socket
from tests.support.oidc_client import SERVER_CREDENTIALS, Issuer
from tests.support.shop import CREATE, concert_input
from tests.support.waiting import wait_until

pytestmark = [
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.timeout(1_200),
]

RECHECK_S = 10
ENDED = "Your session has ended; sign in again"
ROLES_CHANGED = "Your roles have changed; reconnect"

Change = Callable[[KeycloakAdmin], AbstractContextManager[None]]


@pytest.fixture(scope="session")
def issuer(keycloak_issuer: Issuer) -> Issuer:
    """Only Keycloak, because the development issuer has no administrator."""
    return keycloak_issuer


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def api(
    issuer: Issuer,
    shared_valkey: ServerProcess,
    shared_mongod: ServerProcess,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[ApiClient]:
    """A server with the shortest recheck interval that the settings allow."""
    client_id, secret = SERVER_CREDENTIALS
    application = Application(
        tmp_path_factory.mktemp("rechecks") / "data",
        OIDC_ISSUER=issuer.url,
        OIDC_CLIENT_ID=client_id,
        OIDC_CLIENT_SECRET=secret,
        OIDC_RECHECK_S=RECHECK_S,
        REDIS_URL=shared_valkey.url,
        MONGO_URL=shared_mongod.url,
        MONGO_DATABASE="identity_rechecks",
    )
    async with started(application):
        yield ApiClient(application.url)


@contextmanager
def disabled(admin: KeycloakAdmin) -> Iterator[None]:
    [user] = admin.get("users", username="olivia", exact="true")
    admin.put(f"users/{user['id']}", {**user, "enabled": False})
    try:
        yield
    finally:
        admin.put(f"users/{user['id']}", {**user, "enabled": True})


@contextmanager
def not_before_of_the_realm(admin: KeycloakAdmin) -> Iterator[None]:
    """Invalidate all tokens issued so far, as Keycloak's "Revocation" page does."""
    admin.put("", {"notBefore": int(time.time())})
    try:
        yield
    finally:
        admin.put("", {"notBefore": 0})


@contextmanager
def without_the_role(admin: KeycloakAdmin) -> Iterator[None]:
    [user] = admin.get("users", username="olivia", exact="true")
    mapping, roles = f"users/{user['id']}/role-mappings/realm", [admin.get("roles/organizer")]
    admin.delete(mapping, roles)
    try:
        yield
    finally:
        admin.post(mapping, roles)


async def tokens_of_olivia(issuer: Issuer) -> dict[str, str]:
    answer = await issuer.web.with_password("olivia")
    assert answer.status_code == 200, answer.text
    tokens: dict[str, str] = answer.json()
    return tokens


async def creates_concerts(api: ApiClient, token: str) -> bool:
    answer = await api.ask(token, CREATE, input=concert_input())
    return answer.status_code == 200 and "FORBIDDEN" not in answer.text


def report(what: str, since_s: float) -> None:
    print(f"{what} after {time.monotonic() - since_s:.1f} s; recheck every {RECHECK_S} s")  # noqa: T201


@pytest.mark.parametrize("change", [disabled, not_before_of_the_realm])
async def test_organizer_whose_session_ended_is_refused_at_the_recheck(
    issuer: Issuer, api: ApiClient, admin: KeycloakAdmin, change: Change
) -> None:
    token, unused = [(await tokens_of_olivia(issuer))["access_token"] for _ in range(2)]
    customer = (await issuer.web.with_password("alice")).json()["access_token"]
    assert await creates_concerts(api, token)
    await asyncio.sleep(1.1)  # not-before counts whole seconds
    async with token_socket(api.url, token) as client, token_socket(api.url, customer) as other:
        with change(admin):
            since_s = time.monotonic()
            assert await client.closed() == (4403, ENDED)
            report(f"socket ended by {change.__name__}", since_s)
            for refused in (token, unused):
                # A token that has not been used for a while is rechecked by the request itself.
                await wait_until(partial(_is_refused, api, refused), what="a refusal")
            report(f"requests refused by {change.__name__}", since_s)
            # Keycloak is not asked about customers: their access ends with the token.
            assert await api.accepts(customer)
            await other.send({"type": "ping"})
            assert await other.receive() == {"type": "pong"}
    assert not await api.accepts(token)
    new = (await tokens_of_olivia(issuer))["access_token"]
    assert await creates_concerts(api, new)


async def test_role_is_lost_when_removed_and_returns_when_restored(
    issuer: Issuer, api: ApiClient, admin: KeycloakAdmin
) -> None:
    token = (await tokens_of_olivia(issuer))["access_token"]
    assert await creates_concerts(api, token)
    async with token_socket(api.url, token) as client:
        with without_the_role(admin):
            since_s = time.monotonic()
            assert await client.closed() == (4403, ROLES_CHANGED)
            report("socket ended by the removed role", since_s)
            assert not await creates_concerts(api, token)
            # The organizer stays signed in as a customer.
            assert (await api.ask(token)).json()["data"]["me"]["roles"] == ["CUSTOMER"]
            async with token_socket(api.url, token) as again:
                await again.send({"type": "ping"})
                assert await again.receive() == {"type": "pong"}
        since_s = time.monotonic()
        await wait_until(lambda: creates_concerts(api, token), what="the restored role")
        report("role returned", since_s)


async def _is_refused(api: ApiClient, token: str) -> bool:
    return not await api.accepts(token)
