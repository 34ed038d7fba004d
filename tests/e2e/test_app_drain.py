"""`python app.py` is not ready before it stops, and serves everyone until then."""

import signal
from pathlib import Path

import httpx2
from websockets.asyncio.client import connect
from websockets.typing import Subprotocol

from tests.support.application import Application, started
from tests.support.sockets import PROTOCOL, Client
from tests.support.waiting import wait_until
from web.health import LEAVING

LONG_S = 300
"""So long that the test, however slow, does not see the end of it."""


async def test_leaving_server_is_not_ready_but_serves_until_it_stops(
    tmp_path: Path, valkey_url: str, mongo_url: str, mongo_database: str
) -> None:
    stores = {"REDIS_URL": valkey_url, "MONGO_URL": mongo_url, "MONGO_DATABASE": mongo_database}
    async with started(Application(tmp_path / "onsale", DRAIN_S=LONG_S, **stores)) as application:
        socket = connect(
            f"ws://127.0.0.1:{application.port}/graphql", subprotocols=[Subprotocol(PROTOCOL)], compression=None
        )
        async with socket as connection:
            client = Client(connection)
            await client.sign_in(None)
            application.process.send_signal(signal.SIGTERM)

            async def is_leaving() -> bool:
                answer = await application.get("/readyz")
                return answer.status_code == 503 and answer.json()["problems"] == [LEAVING]

            await wait_until(is_leaving, what="the announcement")
            async with httpx2.AsyncClient(base_url=application.url) as http:
                answer = await http.post("/graphql", json={"query": "{ serverTime }"})
            assert answer.status_code == 200
            await client.subscribe("time", "{ serverTime }")
            assert (await client.receive())["type"] == "next"
            assert application.process.returncode is None

            application.process.send_signal(signal.SIGTERM)
            assert (await client.closed())[0] == 1012
        assert await application.ended() == 0


async def test_leaving_server_stops_by_itself_after_its_drain_time(
    tmp_path: Path, valkey_url: str, mongo_url: str, mongo_database: str
) -> None:
    stores = {"REDIS_URL": valkey_url, "MONGO_URL": mongo_url, "MONGO_DATABASE": mongo_database}
    async with started(Application(tmp_path / "onsale", DRAIN_S=1, **stores)) as application:
        assert await application.end() == 0
