"""A graphql-transport-ws server that follows a script, for tests of clients."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import orjson
from websockets.asyncio.server import ServerConnection, serve

from bench.clients.subscription import SUBPROTOCOL

Script = Sequence[dict[str, Any] | int]
"""Messages and close codes to send once the client has subscribed."""


class FakeServer:
    def __init__(self, script: Script) -> None:
        self._script = script
        self.received: list[dict[str, Any]] = []

    async def play(self, socket: ServerConnection) -> None:
        self.received.append(orjson.loads(await socket.recv()))
        await socket.send('{"type":"connection_ack"}')
        self.received.append(orjson.loads(await socket.recv()))
        for step in self._script:
            if isinstance(step, int):
                await socket.close(step, "test")
            else:
                await socket.send(orjson.dumps(step).decode())
        async for message in socket:
            self.received.append(orjson.loads(message))


@asynccontextmanager
async def run_fake_server(*script: dict[str, Any] | int) -> AsyncIterator[tuple[FakeServer, str]]:
    fake = FakeServer(script)
    async with serve(fake.play, "127.0.0.1", 0, subprotocols=[SUBPROTOCOL]) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        yield fake, f"http://127.0.0.1:{port}"
