"""A wire on an ASGI `receive` and `send`, for servers without our protocol class.

A `send` that has not returned means that the client does not read.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Coroutine
from contextvars import Context
from typing import Any

from starlette.types import Receive, Send

from subscriptions.interfaces import Rendered
from subscriptions.sockets import messages
from subscriptions.sockets.wires.frame_protocol import CLOSE_WAIT_S
from subscriptions.sockets.wires.wire import Sink


class AsgiWire:
    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive = receive
        self._send = send
        self._unsent: deque[bytes] = deque()
        self._can_read = asyncio.Event()
        self._ended = asyncio.Event()
        self._closing: tuple[int, str] | None = None
        self._writer: asyncio.Task[None] | None = None
        self._sink: Sink | None = None

    async def serve(self) -> None:
        """Serve the socket. Returns when it is closed and all its tasks have ended."""
        async with asyncio.TaskGroup() as self._group:
            reader = self._group.create_task(self._read())
            try:
                await self._ended.wait()
            finally:
                if self._sink is not None:
                    self._sink.lost()
                    self._sink = None
                reader.cancel()
                if self._writer is not None:
                    self._writer.cancel()
            await self._write_close()

    # Wire

    def connect(self, sink: Sink) -> None:
        self._sink = sink

    def write(self, *messages: bytes) -> None:
        self._unsent.extend(messages)
        if self._writer is None and self._sink is not None:
            self._writer = self._group.create_task(self._write())
            self._sink.pause_writing()

    def write_next(self, prefix: bytes, rendered: Rendered) -> None:
        self.write(messages.next_(prefix, rendered.payload))

    def pause_reading(self) -> None:
        self._can_read.clear()

    def resume_reading(self) -> None:
        self._can_read.set()

    def close(self, code: int, reason: str) -> None:
        self._closing = (code, reason)
        self._ended.set()

    def abort(self) -> None:
        self._ended.set()

    def start_task(self, work: Coroutine[Any, Any, None], *, context: Context | None = None) -> asyncio.Task[None]:
        return self._group.create_task(work, context=context)

    # Tasks

    async def _read(self) -> None:
        try:
            while True:
                await self._can_read.wait()
                message = await self._receive()
                await self._can_read.wait()
                if message["type"] == "websocket.disconnect" or self._sink is None:
                    return
                text = message.get("text")
                self._sink.receive(None if text is None else text.encode())
        finally:
            self._ended.set()

    async def _write(self) -> None:
        try:
            while self._unsent:
                await self._send({"type": "websocket.send", "text": self._unsent.popleft().decode()})
        except OSError:
            self._ended.set()  # the client has disconnected
            return
        self._writer = None
        if self._sink is not None:
            self._sink.resume_writing()

    async def _write_close(self) -> None:
        if self._closing is None:
            return
        code, reason = self._closing
        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(CLOSE_WAIT_S):
                await self._send({"type": "websocket.close", "code": code, "reason": reason})
