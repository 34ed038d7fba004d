"""No token, secret or email address reaches the log, wherever a client sends it."""

import asyncio
from collections.abc import AsyncIterator

import httpx2
import orjson
import pytest
import pytest_asyncio
from websockets.asyncio.client import connect
from websockets.typing import Subprotocol

from storage.embedded.process import ServerProcess
from tests.support.application import Application, started
from tests.support.shop import CREATE, HOLD, PUBLISH, PURCHASE, Answer, concert_input, new_key
from tests.support.sockets import PROTOCOL

pytestmark = pytest.mark.asyncio(loop_scope="module")

EMAIL = "alice.private@onsale.example"
STORE_PASSWORD = "store-password-7f3a"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def application(
    tmp_path_factory: pytest.TempPathFactory, module_valkey: ServerProcess, module_mongod: ServerProcess
) -> AsyncIterator[Application]:
    # Valkey accepts any password for its default user, which has none.
    redis_url = module_valkey.url.replace("redis://", f"redis://default:{STORE_PASSWORD}@")
    stores = {"REDIS_URL": redis_url, "MONGO_URL": module_mongod.url, "LOG_FORMAT": "json"}
    async with started(Application(tmp_path_factory.mktemp("application") / "onsale", **stores)) as application:
        yield application


class Client:
    def __init__(self, http: httpx2.AsyncClient) -> None:
        self.http = http
        self.tokens: dict[str, Answer] = {}

    async def sign_in(self, name: str) -> None:
        form = {"grant_type": "password", "client_id": "onsale-web", "username": name, "password": name}
        path = "/realms/onsale/protocol/openid-connect/token"
        self.tokens[name] = (await self.http.post(path, data=form | {"scope": "openid"})).json()

    async def ask(self, document: str, by: str, input_: dict[str, object]) -> Answer:
        headers = {"Authorization": f"Bearer {self.tokens[by]['access_token']}"}
        body = {"query": document, "variables": {"input": input_}}
        return next(iter((await self.http.post("/graphql", json=body, headers=headers)).json()["data"].values()))


async def test_log_contains_no_secret(application: Application) -> None:
    async with httpx2.AsyncClient(base_url=application.url, timeout=60) as http:
        client = Client(http)
        for name in ("olivia", "alice"):
            await client.sign_in(name)
        secrets = [client.tokens[name][kind] for name in client.tokens for kind in ("access_token", "refresh_token")]
        await buy(client)
        await send_secrets_to_wrong_places(application, client)

    await application.end()
    assert "/graphql" in application.output
    found = [secret for secret in (*secrets, EMAIL, STORE_PASSWORD) if secret in application.output]
    assert found == []


async def buy(client: Client) -> None:
    concert = (await client.ask(CREATE, "olivia", concert_input()))["concert"]
    await client.ask(PUBLISH, "olivia", {"concertId": concert["id"]})
    lines = [{"tierId": concert["tiers"][0]["id"], "quantity": 1}]
    hold = await client.ask(HOLD, "alice", {"concertId": concert["id"], "lines": lines, "idempotencyKey": new_key()})
    order = {"holdId": hold["hold"]["id"], "customerName": "Alice", "customerEmail": EMAIL, "idempotencyKey": new_key()}
    assert (await client.ask(PURCHASE, "alice", order))["__typename"] == "PurchaseTicketsSuccess"


async def send_secrets_to_wrong_places(application: Application, client: Client) -> None:
    token = client.tokens["alice"]["access_token"]
    for parameters in ({"access_token": token}, {"query": f"{{ {EMAIL} }}"}, {"query": "{ serverTime }", "t": token}):
        await client.http.get("/graphql", params=parameters)
    await client.http.get(f"/{token}/{EMAIL}")
    for value in (f"bearer {token}x", token, f"Basic {token}", f"Bearer {EMAIL}"):
        await client.http.post("/graphql", json={"query": "{ serverTime }"}, headers={"Authorization": value})
    await client.http.post("/graphql", json={"query": "{ me { name } }", "operationName": token})
    await client.http.get("/login/callback", params={"code": token, "state": EMAIL})
    url = f"{application.url.replace('http', 'ws')}/graphql?token={token}"
    for payload in ({"Authorization": f"Bearer {token}"}, {"token": token}, {"Authorization": EMAIL}):
        async with connect(url, subprotocols=[Subprotocol(PROTOCOL)]) as connection:
            await connection.send(orjson.dumps({"type": "connection_init", "payload": payload}).decode())
            async with asyncio.timeout(60):
                await (connection.wait_closed() if EMAIL in payload.values() else connection.recv())
