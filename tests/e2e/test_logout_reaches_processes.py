"""A logout token that one process receives ends the session on another, even if hints are lost."""

import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import httpx2
import pytest
import pytest_asyncio
import redis.asyncio
from websockets.asyncio.client import connect
from websockets.typing import Subprotocol

from auth.revocation.backchannel_logout import PATH
from storage.embedded.process import ServerProcess
from tests.support.application import Application, started
from tests.support.events import events
from tests.support.issuers import KeyServer, running_key_server
from tests.support.logout_tokens import logout_token
from tests.support.shop import CREATE, PUBLISH, concert_input
from tests.support.sockets import PROTOCOL, Client
from tests.support.tokens import access_claims, signed
from tests.support.waiting import wait_until

pytestmark = pytest.mark.asyncio(loop_scope="module")

SUBSCRIPTION = "subscription ($id: ID!) { stockChanged(concertId: $id) { tiers { available } } }"
ME = {"query": "{ me { id } }"}
ENDED = "Your session has ended; sign in again"


@dataclass(frozen=True, slots=True)
class Processes:
    first: Application
    second: Application
    issuer: KeyServer

    def token(self, session_id: str, *roles: str) -> str:
        claims = access_claims(self.issuer.issuer, sid=session_id, realm_access={"roles": list(roles or ["customer"])})
        return signed(claims)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def processes(
    tmp_path_factory: pytest.TempPathFactory, module_valkey: ServerProcess, shared_mongod: ServerProcess
) -> AsyncIterator[Processes]:
    folder, database = tmp_path_factory.mktemp("processes"), f"test_{uuid.uuid4().hex}"
    settings = {"REDIS_URL": module_valkey.url, "MONGO_URL": shared_mongod.url, "MONGO_DATABASE": database}
    async with AsyncExitStack() as stack:
        broker = await stack.enter_async_context(redis.asyncio.Redis.from_url(module_valkey.url))
        # The broker refuses the channel for revocations, so all hints about them are lost.
        await broker.execute_command(
            "ACL", "SETUSER", "default", "resetchannels", "&onsale2:{c:*", "&onsale2:work", "&onsale2:readiness"
        )
        issuer = await stack.enter_async_context(running_key_server())
        applications = [
            Application(folder / name, OIDC_ISSUER=issuer.issuer, **settings) for name in ("first", "second")
        ]
        first, second = [await stack.enter_async_context(started(application)) for application in applications]
        yield Processes(first, second, issuer)


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


async def ask(application: Application, token: str, body: Mapping[str, object]) -> httpx2.Response:
    async with httpx2.AsyncClient(base_url=application.url, timeout=30) as client:
        return await client.post("/graphql", json=body, headers=bearer(token))


@asynccontextmanager
async def socket(application: Application, token: str) -> AsyncIterator[Client]:
    url = f"{application.url.replace('http', 'ws', 1)}/graphql"
    async with connect(url, subprotocols=[Subprotocol(PROTOCOL)], ping_interval=None) as connection:
        client = Client(connection)
        await client.sign_in(token)
        yield client


async def create_concert(application: Application, token: str) -> str:
    made = await ask(application, token, {"query": CREATE, "variables": {"input": concert_input()}})
    concert_id: str = made.json()["data"]["createConcert"]["concert"]["id"]
    await ask(application, token, {"query": PUBLISH, "variables": {"input": {"concertId": concert_id}}})
    return concert_id


async def test_logout_reaches_the_other_process_even_if_hints_are_lost(processes: Processes) -> None:
    first, second = processes.first, processes.second
    concert_id = await create_concert(first, processes.token("organizer", "organizer"))
    token, other = processes.token("s1"), processes.token("s2")
    body = {"query": SUBSCRIPTION, "variables": {"id": concert_id}}
    headers = {**bearer(token), "accept": "text/event-stream"}
    async with (
        socket(second, token) as ended,
        socket(second, other) as kept,
        httpx2.AsyncClient(base_url=second.url, timeout=60) as client,
        events(client, "POST", "/graphql", json=body, headers=headers) as stream,
    ):
        name, payload = await stream.receive()
        assert (name, payload["data"]["stockChanged"]["tiers"][0]) == ("next", {"available": 100})
        async with httpx2.AsyncClient(base_url=first.url) as issuer:
            logout = logout_token(processes.issuer.issuer, sid="s1")
            assert (await issuer.post(PATH, data={"logout_token": logout})).status_code == 200
            assert (await issuer.post(PATH, data={"logout_token": logout})).status_code == 400

        assert await ended.closed() == (4403, ENDED)
        (error, complete) = (await stream.rest())[-2:]
        assert error[1]["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"
        assert complete == ("complete", None)

        await kept.send({"type": "ping"})
        assert await kept.receive() == {"type": "pong"}

    await wait_until(lambda: "a hint was lost" in first.output, what="the report of the lost hint")
    for application in (first, second):
        for late in (token, processes.token("s1")):
            refused = await ask(application, late, ME)
            assert (refused.status_code, refused.json()["errors"][0]["message"]) == (401, f"{ENDED}.")
        assert (await ask(application, other, ME)).status_code == 200


async def test_logout_token_is_not_an_access_token(processes: Processes) -> None:
    refused = await ask(processes.first, logout_token(processes.issuer.issuer, aud="onsale-api"), ME)
    assert (refused.status_code, refused.json()["errors"][0]["extensions"]["code"]) == (401, "UNAUTHENTICATED")
    untyped = signed(access_claims(processes.issuer.issuer, events={"http://schemas.openid.net/event/x": {}}))
    assert "is a logout token" in (await ask(processes.first, untyped, ME)).json()["errors"][0]["message"]
    async with httpx2.AsyncClient(base_url=processes.first.url) as issuer:
        answer = await issuer.post(PATH, data={"logout_token": processes.token("s9")})
        assert answer.status_code == 400
    assert (await ask(processes.first, processes.token("s9"), ME)).status_code == 200
