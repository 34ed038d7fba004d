"""Sends requests over persistent HTTP connections with minimal overhead.

Answers are not parsed here: their raw bytes are only searched for a word. In a closed loop, each
connection sends its next request when it has received an answer. In an open loop, requests are due
at a steady rate, and the latency includes the wait for a free connection; otherwise, a slow server
would slow down the clients and appear faster than it is.
"""

import asyncio
import json
import math
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import cast

from bench.metrics import NotMeasured
from bench.queueing.users import PEOPLE_PER_ADDRESS, make_address

ANSWER_WITHIN_S = 60.0


@dataclass(frozen=True, slots=True)
class Timed:
    took_ms: list[float]
    lasted_s: float

    @property
    def per_s(self) -> float:
        return len(self.took_ms) / self.lasted_s


class Connection(asyncio.Protocol):
    """A connection that handles one request at a time. It is opened again after the server has
    closed it, because servers close connections that are idle for five seconds.
    """

    def __init__(self, port: int, address: str, success: bytes) -> None:
        self._port = port
        self._address = address
        self._success = success
        self._received = b""
        self._answer: asyncio.Future[bytes] | None = None
        self._is_open = False

    async def open(self) -> None:
        loop = asyncio.get_running_loop()
        await loop.create_connection(lambda: self, "127.0.0.1", self._port, local_addr=(self._address, 0))

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports have all of these methods but do not declare them.
        self._transport = cast(asyncio.Transport, transport)
        self._received, self._is_open = b"", True

    async def send(self, request: bytes) -> bytes:
        """Send a request, wait for its answer, and return the body.

        Raises NotMeasured if the success word is missing.
        """
        if not self._is_open:
            await self.open()
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        async with asyncio.timeout(ANSWER_WITHIN_S):
            return await self._answer

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, gap, body = self._received.partition(b"\r\n\r\n")
        if not gap or len(body) < _length(head):
            return
        self._received = b""
        assert self._answer is not None
        if self._success in body:
            self._answer.set_result(body)
        else:
            self._answer.set_exception(NotMeasured(f"the answer to a request was {body[:300]!r}"))

    def connection_lost(self, exc: Exception | None) -> None:
        self._is_open = False
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(NotMeasured("the server closed a connection"))

    def close(self) -> None:
        self._transport.close()


def _length(head: bytes) -> int:
    _, _, rest = head.lower().partition(b"content-length:")
    return int(rest.split(b"\r\n", 1)[0])


def make_request(port: int, document: str, input_: Mapping[str, object], token: str) -> bytes:
    return make_graphql_request(port, document, {"input": input_}, token)


def make_graphql_request(port: int, document: str, variables: Mapping[str, object], token: str) -> bytes:
    body = json.dumps({"query": document, "variables": variables}).encode()
    head = (
        f"POST /graphql HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\n"
        f"Accept: application/json\r\nAuthorization: Bearer {token}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


@asynccontextmanager
async def open_connections(port: int, count: int, success: str) -> AsyncIterator[list[Connection]]:
    """Yield `count` connections, each from its own address.

    An answer that does not contain `success` is an error.
    """
    opened: list[Connection] = []
    try:
        for number in range(count):
            connection = Connection(port, make_address(number * PEOPLE_PER_ADDRESS), success.encode())
            await connection.open()
            opened.append(connection)
        yield opened
    finally:
        for connection in opened:
            connection.close()


async def run_closed_loop(
    opened: list[Connection], requests: Iterator[bytes], *, seconds: float = math.inf, at_least: int = 0
) -> Timed:
    """Run a closed loop.

    It ends when the time is up and at least `at_least` requests have been answered, or when no
    requests are left.
    """
    took_ms: list[float] = []
    began = time.perf_counter()

    async def work(connection: Connection) -> None:
        while time.perf_counter() - began < seconds or len(took_ms) < at_least:
            request = next(requests, None)
            if request is None:
                return
            sent = time.perf_counter()
            await connection.send(request)
            took_ms.append((time.perf_counter() - sent) * 1000)

    async with asyncio.TaskGroup() as group:
        for connection in opened:
            group.create_task(work(connection))
    return Timed(took_ms, time.perf_counter() - began)


async def run_open_loop(opened: list[Connection], requests: Iterator[bytes], *, per_s: float, count: int) -> Timed:
    """Run an open loop of `count` requests, at most one at a time on each connection."""
    free: asyncio.LifoQueue[Connection] = asyncio.LifoQueue()
    for connection in opened:
        free.put_nowait(connection)
    took_ms: list[float] = []
    began = time.perf_counter()

    async def send(request: bytes, due: float) -> None:
        connection = await free.get()
        await connection.send(request)
        free.put_nowait(connection)
        took_ms.append((time.perf_counter() - due) * 1000)

    async with asyncio.TaskGroup() as group:
        for number in range(count):
            due = began + number / per_s
            await asyncio.sleep(max(due - time.perf_counter(), 0))
            request = next(requests, None)
            if request is None:
                raise NotMeasured("the requests ran out before the end")
            group.create_task(send(request, due))
    return Timed(took_ms, time.perf_counter() - began)
