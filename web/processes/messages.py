"""The socket between the supervisor and each of its children: one JSON object per line.

A child says that it has started, that it is ready, and what its metrics are. The supervisor asks
for metrics, and says that a child will be stopped soon. When either end is gone, the other one
reads the end of the stream.
"""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from enum import StrEnum
from socket import socket
from typing import Any, Self

MAX_BYTES = 16 * 1024 * 1024
"""The maximum size of a message. Metrics have some hundred kilobytes."""


class MessageKind(StrEnum):
    """The kinds of messages."""

    STARTED = "started"
    """The child accepts requests, or works."""
    READY = "ready"
    """The stores of the child answer."""
    METRICS = "metrics"
    """The supervisor asks for metrics, or the child sends them as `content`."""
    LEAVING = "leaving"
    """The child will be stopped soon; it must not be ready any more."""


class MessageStream:
    """One end of the socket. It owns the socket."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def open(cls, end: socket) -> Self:
        return cls(*await asyncio.open_unix_connection(sock=end, limit=MAX_BYTES))

    def send(self, kind: MessageKind, content: Any = None) -> None:
        """Send a message, without waiting. If the other end is gone, nothing happens."""
        if not self._writer.is_closing():
            self._writer.write(json.dumps({"kind": kind, "content": content}).encode() + b"\n")

    async def receive(self) -> AsyncIterator[tuple[MessageKind, Any]]:
        """Yield messages until the other end is gone."""
        while True:
            try:
                line = await self._reader.readline()
            except (OSError, ValueError):  # ValueError: longer than the limit
                return
            if not line.endswith(b"\n"):
                return
            message = json.loads(line)
            yield MessageKind(message["kind"]), message["content"]

    async def close(self) -> None:
        """Send what is left, and close the socket."""
        self._writer.close()
        with contextlib.suppress(OSError):
            await self._writer.wait_closed()
