"""`python -m bench.queueing.position_subscribers PORT CONCERT PEOPLE`: one socket per person and
position.

Nothing is parsed: a protocol per socket counts the frames received, and records when the READY
frame arrived. The program prints READY itself after the first snapshot of every person, then
answers each line on standard input with its counts so far, as JSON.
"""

import asyncio
import base64
import json
import os
import sys
import time
from pathlib import Path
from typing import cast

import uvloop

from bench.stock_subscribers import frame

OPENING_AT_ONCE = 100
DOCUMENT = """subscription ($id: ID!) {
  queuePosition(concertId: $id) {
    version epoch state number position servingNumber waitingCount estimatedWait { p50Seconds p90Seconds }
    pass { token expiresInSeconds } stockAhead
  }
}"""
CALLED, NEXT = b'"READY"', b'"next"'
TAIL = max(len(CALLED), len(NEXT)) - 1
"""The end of the previous data to keep: it may contain the start of a split word."""


class PositionSubscriber(asyncio.Protocol):
    def __init__(self, host: str, concert: str, token: str) -> None:
        self.frames = 0
        self.bytes = 0
        self.called_ms: float | None = None
        """By the clock of this machine, like the store's events."""
        self.first: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._host = host
        self._concert = concert
        self._token = token
        self._is_open = False
        self._tail = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        key = base64.b64encode(os.urandom(16)).decode()
        self._transport.write(
            f"GET /graphql HTTP/1.1\r\nHost: {self._host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Protocol: graphql-transport-ws\r\n\r\n".encode()
        )

    def data_received(self, data: bytes) -> None:
        if not self._is_open:
            self._is_open = True
            self._subscribe()
        self.bytes += len(data)
        seen = self._tail + data
        self.frames += seen.count(NEXT) - self._tail.count(NEXT)
        if self.called_ms is None and CALLED in seen:
            self.called_ms = time.time() * 1000
        if b'"ping"' in data:
            self._transport.write(frame({"type": "pong"}))
        self._tail = seen[-TAIL:]
        if self.frames and not self.first.done():
            self.first.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.first.done():
            self.first.set_exception(exc or ConnectionError(f"the server closed the socket: {self._tail!r}"))

    def _subscribe(self) -> None:
        payload = {"query": DOCUMENT, "variables": {"id": self._concert}}
        self._transport.write(
            frame({"type": "connection_init", "payload": {"Authorization": f"Bearer {self._token}"}})
            + frame({"type": "subscribe", "id": "1", "payload": payload})
        )


async def main(port: int, concert: str, people: list[tuple[str, str]]) -> None:
    loop = asyncio.get_running_loop()
    crowd: list[PositionSubscriber] = []

    async def come(token: str, address: str) -> PositionSubscriber:
        watcher = PositionSubscriber(f"127.0.0.1:{port}", concert, token)
        await loop.create_connection(lambda: watcher, "127.0.0.1", port, local_addr=(address, 0))
        await watcher.first
        return watcher

    for first in range(0, len(people), OPENING_AT_ONCE):
        crowd += await asyncio.gather(*[come(*who) for who in people[first : first + OPENING_AT_ONCE]])
    _say("READY")
    while await loop.run_in_executor(None, sys.stdin.readline):
        frames, size = sum(watcher.frames for watcher in crowd), sum(watcher.bytes for watcher in crowd)
        called_ms = [watcher.called_ms for watcher in crowd]
        _say(json.dumps({"at_s": time.monotonic(), "frames": frames, "bytes": size, "called_ms": called_ms}))


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1]), sys.argv[2], json.loads(Path(sys.argv[3]).read_text())))
