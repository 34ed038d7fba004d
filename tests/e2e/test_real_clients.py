"""Clients built on the npm packages graphql-ws and graphql-sse reconnect after a server restart."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import httpx2
import orjson

from tests.support.application import Application, started
from tests.support.node import installed
from tests.support.shop import CREATE, HOLD, PUBLISH, OnSale, concert_input
from tests.support.shop_mutations import hold_input

CLIENTS = Path(__file__).parent / "clients"
TIMEOUT_S = 60.0
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
        async with httpx2.AsyncClient(base_url=self.application.url, timeout=TIMEOUT_S) as client:
            answer = await client.post("/graphql", json=body, headers={"Authorization": f"Bearer {self.token}"})
        [result] = answer.json()["data"].values()
        return result


async def signed_in(application: Application, name: str) -> Buyer:
    form = {"grant_type": "password", "client_id": "onsale-web", "username": name, "password": name}
    async with httpx2.AsyncClient(base_url=application.url, timeout=TIMEOUT_S) as client:
        answer = await client.post("/realms/onsale/protocol/openid-connect/token", data=form)
    return Buyer(application, answer.json()["access_token"])


@dataclass(eq=False)
class Clients:
    """The process that runs both clients, and their unread events in order."""

    process: asyncio.subprocess.Process
    received: dict[tuple[str, str], list[Value]]

    async def next(self, client: str, event: str) -> Value:
        key = (client, event)
        while not self.received.get(key):
            assert self.process.stdout is not None
            try:
                line = await asyncio.wait_for(self.process.stdout.readline(), TIMEOUT_S)
            except TimeoutError:
                raise AssertionError(f"{client} printed no {event}; received: {self.received}") from None
            assert line, f"the clients ended with {await self.process.wait()}; received: {self.received}"
            self._record(line)
        return self.received[key].pop(0)

    async def versions_until(self, client: str, available: int) -> list[int]:
        """Return the stock versions received until the first tier has `available` tickets left."""
        versions = []
        while True:
            stock = (await self.next(client, "next"))["data"]["stockChanged"]
            versions.append(stock["version"])
            if stock["tiers"][0]["available"] == available:
                return versions

    async def end(self) -> dict[tuple[str, str], list[Value]]:
        """Make both clients unsubscribe, wait until the process exits, and return unread events."""
        output, _ = await asyncio.wait_for(self.process.communicate(b""), TIMEOUT_S)
        assert self.process.returncode == 0
        for line in output.splitlines():
            self._record(line)
        return {key: values for key, values in self.received.items() if values}

    def _record(self, line: bytes) -> None:
        printed = orjson.loads(line)
        self.received.setdefault((printed["client"], printed["event"]), []).append(printed["value"])


@asynccontextmanager
async def running_clients(concert_id: str, buyer: Buyer) -> AsyncIterator[Clients]:
    directory = await installed(CLIENTS, for_what="the npm clients were not tested")
    process = await asyncio.create_subprocess_exec(
        *("node", "run.mjs", f"{buyer.application.url}/graphql", STOCK, concert_id, buyer.token),
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


async def test_clients_reconnect_after_a_restart_and_receive_a_snapshot(
    tmp_path: Path, valkey_url: str, mongo_url: str, mongo_database: str
) -> None:
    stores = {"REDIS_URL": valkey_url, "MONGO_URL": mongo_url, "MONGO_DATABASE": mongo_database}
    application = Application(tmp_path / "onsale", **stores)
    async with started(application):
        olivia, alice = await signed_in(application, "olivia"), await signed_in(application, "alice")
        concert = (await olivia.ask(CREATE, concert_input()))["concert"]
        await olivia.ask(PUBLISH, {"concertId": concert["id"]})

        async def hold(buyer: Buyer) -> None:
            on_sale = OnSale(concert["id"], (concert["tiers"][0]["id"],))
            assert (await buyer.ask(HOLD, hold_input(on_sale, 1)))["__typename"] == "HoldTicketsSuccess"

        async with running_clients(concert["id"], alice) as clients:
            versions = {client: await clients.versions_until(client, 100) for client in ("ws", "sse")}
            for client in versions:
                assert (await clients.next(client, "me"))["data"]["me"]["name"] == "alice"
            await hold(alice)
            for client in versions:
                versions[client] += await clients.versions_until(client, 99)
            assert await application.end() == 0
            assert "graceful shutdown exceeded" not in application.output
            assert (await clients.next("ws", "closed"))["code"] == 1012
            await application.start()
            await application.ready()
            await hold(alice)
            for client in versions:
                versions[client] += await clients.versions_until(client, 98)
                assert versions[client] == sorted(versions[client])
                assert versions[client][-1] > versions[client][0]
            left = await clients.end()
    for client in versions:
        assert left.pop((client, "complete")) == [None]
    assert all(closed["code"] in (1000, 1005, 1006) for closed in left.pop(("ws", "closed"), []))
    assert left == {}
