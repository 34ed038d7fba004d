"""Opens thousands of subscriptions in a separate process, each on its own WebSocket.

`python -m bench.subscribers PORT PLAN` opens one socket for each token in the plan file. The frames
are not parsed: they are only counted, and the time of the first frame on each socket that contains
a word is recorded. The word is "READY" at first. The program prints READY when every socket has
received its first snapshot. A line on standard input is the next word; an empty line asks for the
current counts, which are printed as JSON. `open_subscribers` starts the program and talks to it.
"""

import asyncio
import base64
import json
import os
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import uvloop

from bench.child_process import ChildProcess, run_child
from bench.metrics import NotMeasured

BATCH_SIZE = 100
READY, NEXT = b'"READY"', b'"next"'
WATCHING = "WATCHING"
POLL_S = 0.05
TAIL_BYTES = 40
"""How many bytes of the last read to keep, because a word may be split across two reads.

Every word is shorter.
"""

Credentials = tuple[str | None, str]
"""The access token of a subscriber, or None, and the loopback address that it connects from."""


@dataclass(frozen=True, slots=True)
class Counts:
    """The totals received by all subscribers since they started."""

    at_s: float
    frames: int
    bytes: int
    found_ms: tuple[float | None, ...]
    """For each subscriber, the time at which it received the word, by this machine's clock."""

    def frames_per_s(self, before: "Counts") -> float:
        return (self.frames - before.frames) / (self.at_s - before.at_s)

    def frame_bytes(self, before: "Counts") -> int:
        if self.frames == before.frames:
            raise NotMeasured("no frame was received")
        return round((self.bytes - before.bytes) / (self.frames - before.frames))


class Subscribers:
    def __init__(self, child: ChildProcess) -> None:
        self._child = child

    async def read_counts(self) -> Counts:
        counts = json.loads(await self._child.request_line())
        return Counts(counts["at_s"], counts["frames"], counts["bytes"], tuple(counts["found_ms"]))

    async def watch_for(self, word: str) -> None:
        """Record when each subscriber receives this word for the first time from now on."""
        if await self._child.request_line(word) != WATCHING.encode() + b"\n":
            raise NotMeasured("the subscribers ended")

    async def find_all(self, *, within_s: float) -> list[float]:
        """Return when each subscriber found its word. Raises NotMeasured if one did not in time."""
        deadline = time.monotonic() + within_s
        while time.monotonic() < deadline:
            found_ms = (await self.read_counts()).found_ms
            if all(at_ms is not None for at_ms in found_ms):
                return [at_ms for at_ms in found_ms if at_ms is not None]
            await asyncio.sleep(POLL_S)
        missing = sum(at_ms is None for at_ms in found_ms)
        raise NotMeasured(f"{missing} of {len(found_ms)} sockets did not receive a change within {within_s:.0f} s")

    async def count_for(self, seconds: float) -> tuple[Counts, Counts]:
        """Return the counts before and after `seconds`."""
        before = await self.read_counts()
        await asyncio.sleep(seconds)
        return before, await self.read_counts()


@asynccontextmanager
async def open_subscribers(
    credentials: Sequence[Credentials], *, port: int, document: str, concert_id: str, directory: Path
) -> AsyncIterator[Subscribers]:
    """Open a socket for each subscriber, and yield when each has received its first snapshot.

    `document` has one variable, `$id`. Raises NotMeasured if a socket cannot be opened.
    """
    path = directory / "subscribers.json"
    path.write_text(json.dumps({"document": document, "concert_id": concert_id, "credentials": list(credentials)}))
    async with run_child("bench.subscribers", str(port), str(path)) as child:
        if await child.read_line() != b"READY\n":
            raise NotMeasured("the subscribers could not open their sockets")
        yield Subscribers(child)


class Subscriber(asyncio.Protocol):
    def __init__(self, host: str, subscribe: bytes) -> None:
        self.frames = 0
        self.bytes = 0
        self.found_ms: float | None = None
        self.first: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._host = host
        self._subscribe = subscribe
        self._is_open = False
        self._tail = b""
        self._word = READY

    def watch_for(self, word: bytes) -> None:
        self._word, self.found_ms = word, None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports have all of these methods but do not declare them.
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
            self._transport.write(self._subscribe)
        self.bytes += len(data)
        received = self._tail + data
        self.frames += received.count(NEXT) - self._tail.count(NEXT)
        if self.found_ms is None and self._word in received:
            self.found_ms = time.time() * 1000
        if b'"ping"' in data:
            self._transport.write(make_frame({"type": "pong"}))
        self._tail = received[-TAIL_BYTES:]
        if self.frames and not self.first.done():
            self.first.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.first.done():
            self.first.set_exception(exc or ConnectionError(f"the server closed the socket: {self._tail!r}"))


def make_frame(message: object) -> bytes:
    """Return a client's text frame, masked with zeros; a real mask matters only to proxies."""
    payload = json.dumps(message).encode()
    length = bytes([0x80 | len(payload)]) if len(payload) < 126 else b"\xfe" + len(payload).to_bytes(2, "big")
    return b"\x81" + length + b"\0\0\0\0" + payload


def subscribe_frames(document: str, concert_id: str, token: str | None) -> bytes:
    init = {} if token is None else {"Authorization": f"Bearer {token}"}
    payload = {"query": document, "variables": {"id": concert_id}}
    return make_frame({"type": "connection_init", "payload": init}) + make_frame(
        {"type": "subscribe", "id": "1", "payload": payload}
    )


async def main(port: int, document: str, concert_id: str, credentials: Sequence[Credentials]) -> None:
    loop = asyncio.get_running_loop()
    subscribers: list[Subscriber] = []

    async def open_socket(token: str | None, address: str) -> Subscriber:
        subscriber = Subscriber(f"127.0.0.1:{port}", subscribe_frames(document, concert_id, token))
        await loop.create_connection(lambda: subscriber, "127.0.0.1", port, local_addr=(address, 0))
        await subscriber.first
        return subscriber

    for first in range(0, len(credentials), BATCH_SIZE):
        batch = credentials[first : first + BATCH_SIZE]
        subscribers += await asyncio.gather(*[open_socket(token, address) for token, address in batch])
    _print_line("READY")
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        if word := line.strip():
            for subscriber in subscribers:
                subscriber.watch_for(word.encode())
            _print_line(WATCHING)
            continue
        counts = {
            "at_s": time.monotonic(),
            "frames": sum(subscriber.frames for subscriber in subscribers),
            "bytes": sum(subscriber.bytes for subscriber in subscribers),
            "found_ms": [subscriber.found_ms for subscriber in subscribers],
        }
        _print_line(json.dumps(counts))


def _print_line(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1]), **json.loads(Path(sys.argv[2]).read_text())))
