"""Organizers who lose their role or session at the issuer, over real HTTP and real sockets."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import pytest_asyncio
from websockets.asyncio.client import connect
from websockets.typing import Subprotocol

from auth.revocation import rechecks
from storage.connect import Stores
from tests.support.ending_sessions import Process, process_on
from tests.support.sockets import PROTOCOL, Client
from tests.support.token_states import SECRET, TokenStateServer, running_token_state_server
from tests.support.tokens import access_claims, signed

ROLES = "{ me { roles } }"


@pytest_asyncio.fixture
async def server() -> AsyncIterator[TokenStateServer]:
    async with running_token_state_server() as made:
        yield made


@pytest_asyncio.fixture
async def process(
    stores: Stores, valkey_url: str, server: TokenStateServer, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Process]:
    """A process that rechecks on each request, and rechecks connections ten times a second."""
    monkeypatch.setattr(rechecks, "TICK_S", 0.1)
    async with process_on(stores, valkey_url, issuer=server.issuer, client_secret=SECRET, recheck_s=0) as made:
        yield made


def organizer(server: TokenStateServer) -> str:
    return signed(access_claims(server.issuer, sid="s1", realm_access={"roles": ["organizer"]}))


@asynccontextmanager
async def socket(process: Process, token: str) -> AsyncIterator[Client]:
    url = str(process.client.base_url.join("/graphql")).replace("http", "ws", 1)
    async with connect(url, subprotocols=[Subprotocol(PROTOCOL)], ping_interval=None) as connection:
        client = Client(connection)
        await client.sign_in(token)
        yield client


async def test_removed_role_closes_the_socket_and_affects_later_requests(
    process: Process, server: TokenStateServer
) -> None:
    token = organizer(server)
    async with socket(process, token) as client:
        assert (await process.ask(token, ROLES)).json()["data"] == {"me": {"roles": ["ORGANIZER"]}}
        server.state = {"active": True, "realm_access": {"roles": ["customer"]}}
        assert await client.closed() == (4403, "Your roles have changed; reconnect")
    assert (await process.ask(token, ROLES)).json()["data"] == {"me": {"roles": ["CUSTOMER"]}}
    async with socket(process, token) as client:
        await client.send({"type": "ping"})
        assert await client.receive() == {"type": "pong"}


async def test_disabled_organizer_is_refused_over_http_and_sockets(process: Process, server: TokenStateServer) -> None:
    token = organizer(server)
    async with socket(process, token) as client:
        server.state = {"active": False}
        assert await client.closed() == (4403, "Your session has ended; sign in again")
    refused = await process.ask(token)
    assert (refused.status_code, refused.json()["errors"][0]["message"]) == (
        401,
        "Your session has ended; sign in again.",
    )
    server.state = {"active": True, "realm_access": {"roles": ["organizer"]}}
    assert (await process.ask(token)).status_code == 401
    customer = signed(access_claims(server.issuer))
    assert (await process.ask(customer)).status_code == 200


async def test_issuer_is_never_asked_about_customers(process: Process, server: TokenStateServer) -> None:
    customer = signed(access_claims(server.issuer))
    async with socket(process, customer) as client:
        server.state = {"active": False}
        for _ in range(3):
            assert (await process.ask(customer)).status_code == 200
        await client.send({"type": "ping"})
        assert await client.receive() == {"type": "pong"}
    assert server.asked == []


async def test_login_session_tokens_are_not_tracked(process: Process, server: TokenStateServer) -> None:
    """An organizer's session gets a new token every 20 s and would be counted several times."""
    ends = process.session_ends
    await ends.new_token_verifier.verify(organizer(server))
    assert len(ends.rechecks) == 0
    await ends.verifier.verify(organizer(server))
    assert len(ends.rechecks) == 1
