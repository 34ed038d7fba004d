"""The npm packages graphql-ws and graphql-sse on the whole application: both survive a restart of the server."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import httpx2
import orjson

from storage.embedded.process import ServerProcess
from tests.support.application import Application, started
from tests.support.node import installed
from tests.support.shop import CREATE, HOLD, PUBLISH, concert_input, new_key

CLIENTS = Path(__file__).parent / "clients"
TIMEOUT_S = 20.0
STOCK = """
subscription ($id: ID!) { stockChanged(concertId: $id) { version epoch tiers { available held } } }
"""
Value: TypeAlias = Any


@dataclass(frozen=True, slots=True)
class Buyer:
    application: Application
    token: str

    async def ask(self, document: str, input_: dict[str, object]) -> Value:
        body = {"query": document, "variables": {"input": input_}}
        async with httpx2.AsyncClient(base_url=self.application.url) as client:
            answer = await client.post("/graphql", json=body, headers={"Authorization": f"Bearer {self.token}"})
        [result] = answer.json()["data"].values()
        return result


async def signed_in(application: Application, name: str) -> Buyer:
    form = {"grant_type": "password", "client_id": "onsale-web", "username": name, "password": name}
    async with httpx2.AsyncClient(base_url=application.url) as client:
        answer = await client.post("/realms/onsale/protocol/openid-connect/token", data=form)
    return Buyer(application, answer.json()["access_token"])


@dataclass(eq=False)
class Clients:
    """What the two clients have met and no test has asked for yet, in order."""

    process: asyncio.subprocess.Process
    heard: dict[tuple[str, str], list[Value]]

    async def hear(self, client: str, what: str) -> Value:
        key = (client, what)
        while not self.heard.get(key):
            assert self.process.stdout is not None
            try:
                line = await asyncio.wait_for(self.process.stdout.readline(), TIMEOUT_S)
            except TimeoutError:
                raise AssertionError(f"no {what} of {client}; they met {self.heard}") from None
            assert line, f"the clients ended with {await self.process.wait()}; they met {self.heard}"
            met = orjson.loads(line)
            self.heard.setdefault((met["client"], met["what"]), []).append(met["value"])
        return self.heard[key].pop(0)

    async def available(self, client: str, count: int) -> list[int]:
        """Versions of stock shown until so many tickets of the first tier are left."""
        versions = []
        while True:
            stock = (await self.hear(client, "next"))["data"]["stockChanged"]
            versions.append(stock["version"])
            if stock["tiers"][0]["available"] == count:
                return versions

    async def end(self) -> dict[tuple[str, str], list[Value]]:
        """Both unsubscribe; what nobody asked for."""
        output, _ = await asyncio.wait_for(self.process.communicate(b""), TIMEOUT_S)
        assert self.process.returncode == 0
        for met in map(orjson.loads, output.splitlines()):
            self.heard.setdefault((met["client"], met["what"]), []).append(met["value"])
        return {key: values for key, values in self.heard.items() if values}


@asynccontextmanager
async def watching(concert_id: str, buyer: Buyer) -> AsyncIterator[Clients]:
    directory = await installed(CLIENTS, for_what="no real client was tried")
    process = await asyncio.create_subprocess_exec(
        *("node", "watch.mjs", f"{buyer.application.url}/graphql", STOCK, concert_id, buyer.token),
        cwd=directory,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        yield Clients(process, {})
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def test_real_clients_survive_a_restart_and_continue_from_a_snapshot(
    tmp_path: Path, own_valkey: ServerProcess, own_mongod: ServerProcess
) -> None:
    application = Application(tmp_path / "onsale", REDIS_URL=own_valkey.url, MONGO_URL=own_mongod.url)
    async with started(application):
        olivia, alice = await signed_in(application, "olivia"), await signed_in(application, "alice")
        concert = (await olivia.ask(CREATE, concert_input()))["concert"]
        await olivia.ask(PUBLISH, {"concertId": concert["id"]})

        async def hold(buyer: Buyer) -> None:
            line = {"tierId": concert["tiers"][0]["id"], "quantity": 1}
            wish = {"concertId": concert["id"], "lines": [line], "idempotencyKey": new_key()}
            assert (await buyer.ask(HOLD, wish))["__typename"] == "HoldTicketsSuccess"

        async with watching(concert["id"], alice) as clients:
            versions = {client: await clients.available(client, 100) for client in ("ws", "sse")}
            for client in versions:
                assert (await clients.hear(client, "me"))["data"]["me"]["name"] == "alice"
            await hold(alice)
            for client in versions:
                versions[client] += await clients.available(client, 99)
            assert await application.end() == 0
            assert "graceful shutdown exceeded" not in application.output
            assert (await clients.hear("ws", "closed"))["code"] == 1012
            await application.start()
            await application.ready()
            await hold(alice)
            for client in versions:
                versions[client] += await clients.available(client, 98)
                assert versions[client] == sorted(versions[client])
                assert versions[client][-1] > versions[client][0]
            left = await clients.end()
    for client in versions:
        assert left.pop((client, "complete")) == [None]
    assert all(closed["code"] in (1000, 1005, 1006) for closed in left.pop(("ws", "closed"), []))
    assert left == {}
