"""A TCP proxy in front of a store. It can break connections at any byte of a request or a reply, or
hold replies back.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from enum import Enum, auto
from urllib.parse import urlsplit

from tests.support.waiting import wait_until


class Cut(Enum):
    RESET = auto()
    RESET_ALL = auto()
    """All connections, not only the one that reached the byte."""
    STALL = auto()


@dataclass
class _Plan:
    bytes_left: int
    cut: Cut


class StoreProxy:
    """Forwards to the store at `target_url`, which may be changed for new connections."""

    def __init__(self, target_url: str, *, tls: ssl.SSLContext | None = None) -> None:
        """With `tls`, clients must use TLS. The store itself needs none."""
        self.target_url = target_url
        self._tls = tls
        self.accepted = 0
        self.cuts = 0
        self.splits_replies = False
        self._requests: _Plan | None = None
        self._replies: _Plan | None = None
        self._answering = asyncio.Event()
        self._answering.set()
        self._clients = set[asyncio.StreamWriter]()
        self._port = 0

    @property
    def port(self) -> int:
        return self._port

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self._port}/0"

    def cut_replies(self, after_bytes: int, cut: Cut = Cut.RESET) -> None:
        """Forward this many more bytes of replies; then reset or stall that connection, once."""
        self._replies = _Plan(after_bytes, cut)

    def cut_requests(self, after_bytes: int, cut: Cut = Cut.RESET) -> None:
        """Forward this many more bytes of requests; then reset or stall that connection, once."""
        self._requests = _Plan(after_bytes, cut)

    def fall_silent(self) -> None:
        """Hold back all replies, even on new connections, until `answer_again`."""
        self._answering.clear()

    def answer_again(self) -> None:
        self._answering.set()

    def reset_connections(self) -> None:
        for client in self._clients:
            client.transport.abort()

    def inject(self, reply: bytes) -> None:
        """Send bytes to every client that the store did not send."""
        for client in self._clients:
            client.write(reply)

    @asynccontextmanager
    async def running(self) -> AsyncIterator["StoreProxy"]:
        async with await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._tls) as server:
            self._port = server.sockets[0].getsockname()[1]
            yield self
            self.answer_again()
            self.reset_connections()
            await wait_until(lambda: not self._clients, what="the end of the connections")

    async def _serve(self, from_client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        self.accepted += 1
        self._clients.add(to_client)
        target = urlsplit(self.target_url)
        with suppress(OSError):
            from_store, to_store = await asyncio.open_connection(target.hostname, target.port)
            try:
                await self._forward(from_client, to_client, from_store, to_store)
            finally:
                to_store.transport.abort()
        self._clients.discard(to_client)
        to_client.transport.abort()

    async def _forward(
        self,
        from_client: asyncio.StreamReader,
        to_client: asyncio.StreamWriter,
        from_store: asyncio.StreamReader,
        to_store: asyncio.StreamWriter,
    ) -> None:
        pumps = [
            asyncio.create_task(self._forward_commands(from_client, to_store)),
            asyncio.create_task(self._forward_replies(from_store, to_client)),
        ]
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)

    async def _forward_commands(self, from_client: asyncio.StreamReader, to_store: asyncio.StreamWriter) -> None:
        while data := await from_client.read(65_536):
            plan = self._requests
            if plan is not None and plan.bytes_left < len(data):
                self._requests = None
                await self._cut(plan, data, to_store)
                return
            if plan is not None:
                plan.bytes_left -= len(data)
            to_store.write(data)
            await to_store.drain()

    async def _forward_replies(self, from_store: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        while data := await from_store.read(65_536):
            await self._answering.wait()
            plan = self._replies
            if plan is not None and plan.bytes_left < len(data):
                self._replies = None
                await self._cut(plan, data, to_client)
                return
            if plan is not None:
                plan.bytes_left -= len(data)
            await self._send(data, to_client)

    async def _cut(self, plan: _Plan, data: bytes, writer: asyncio.StreamWriter) -> None:
        """Forward the last bytes. The connection is reset when this returns."""
        self.cuts += 1
        writer.write(data[: plan.bytes_left])
        await writer.drain()
        if plan.cut is Cut.STALL:
            await asyncio.Event().wait()
        if plan.cut is Cut.RESET_ALL:
            self.reset_connections()

    async def _send(self, data: bytes, to_client: asyncio.StreamWriter) -> None:
        size = 1 if self.splits_replies else len(data)
        for start in range(0, len(data), size):
            to_client.write(data[start : start + size])
            await to_client.drain()
            # Without a pause, the kernel would deliver the bytes together.
            await asyncio.sleep(0)
