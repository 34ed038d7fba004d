"""While Keycloak is down, people stay signed in; when it returns, Onsale needs no restart."""

import asyncio
import time

import pytest

from tests.support.api_client import ME, ApiClient
from tests.support.keycloak import BackgroundKeycloak
from tests.support.oidc_client import Issuer
from tests.support.sockets import Client

pytestmark = [
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.timeout(1_200),
]

OUTAGE_S = 60.0


@pytest.fixture(scope="session")
def issuer(keycloak_issuer: Issuer) -> Issuer:
    """Keycloak alone: the development issuer stops with Onsale."""
    return keycloak_issuer


async def name_seen_by(client: Client, id_: str) -> str:
    """Ask over the socket who is signed in, and answer the pings that arrive before the result."""
    await client.subscribe(id_, ME)
    while (message := await client.receive())["type"] == "ping":
        await client.send({"type": "pong"})
    assert (message["id"], message["type"]) == (id_, "next")
    assert await client.receive() == {"id": id_, "type": "complete"}
    return str(message["payload"]["data"]["me"]["name"])


async def test_minute_without_keycloak_closes_no_socket_and_ends_no_session(
    keycloak: BackgroundKeycloak, issuer: Issuer, api: ApiClient
) -> None:
    alice, bob = [(await issuer.web.with_password(name)).json() for name in ("alice", "bob")]
    async with api.socket() as client:
        await client.sign_in(alice["access_token"])
        keycloak.kill()
        await keycloak.gone()
        until = time.monotonic() + OUTAGE_S
        while time.monotonic() < until:
            assert await name_seen_by(client, "1") == "alice"
            # Onsale has not seen this token before, but knows the key.
            assert (await api.ask(bob["access_token"])).json()["data"]["me"]["name"] == "bob"
            await asyncio.sleep(1)
        assert (await api.ask(None)).json()["data"]["me"] is None
        async with api.socket() as another:
            await another.sign_in(bob["access_token"])
            assert await name_seen_by(another, "1") == "bob"
        keycloak.start()
        assert await name_seen_by(client, "2") == "alice"

    await keycloak.ready()
    # Keycloak keeps its sessions and keys through a crash.
    renewed = await issuer.web.refresh(alice["refresh_token"])
    assert renewed.status_code == 200, renewed.text
    assert await api.accepts(renewed.json()["access_token"])
    assert await api.accepts((await issuer.web.with_password("carol")).json()["access_token"])
