"""The side of a child process: what it inherits from its supervisor, and what it sends it."""

import asyncio
import os
import signal
import socket
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from telemetry.loop_lag import measure_loop_lag
from telemetry.snapshots import take_snapshot
from web.processes.messages import MessageKind, MessageStream

SERVER = "server"
WORKERS = "workers"
OPTION = "--supervised"
"""The option with which a supervisor starts a child; an `Inheritance` follows."""


@dataclass(frozen=True, slots=True)
class Inheritance:
    """The open files that a child inherits, by their numbers."""

    kind: str
    """SERVER or WORKERS."""
    supervisor_fd: int
    listener_fd: int | None = None
    """The listening socket, for servers."""

    def __str__(self) -> str:
        return f"{self.kind},{self.supervisor_fd},{'' if self.listener_fd is None else self.listener_fd}"

    @classmethod
    def parse(cls, text: str) -> "Inheritance":
        kind, supervisor_fd, listener_fd = text.split(",")
        return cls(kind, int(supervisor_fd), int(listener_fd) if listener_fd else None)

    def take_listener(self) -> socket.socket:
        assert self.listener_fd is not None
        return _take(self.listener_fd)

    def take_supervisor(self) -> socket.socket:
        return _take(self.supervisor_fd)


def _take(number: int) -> socket.socket:
    # The children of this process must not keep the files open.
    os.set_inheritable(number, False)
    return socket.socket(fileno=number)


class Supervised:
    """A child's connection to its supervisor."""

    def __init__(self, messages: MessageStream) -> None:
        self._messages = messages
        self.leaving = asyncio.Event()
        """Set when the supervisor says that this process will be stopped soon."""
        self.stopping = asyncio.Event()
        """Set when this process must stop: by a signal, or because the supervisor is gone."""

    def send(self, kind: MessageKind) -> None:
        self._messages.send(kind)

    def send_metrics(self) -> None:
        self._messages.send(MessageKind.METRICS, take_snapshot())

    async def listen(self) -> None:
        """Answer the supervisor until it is gone."""
        async for kind, _ in self._messages.receive():
            if kind is MessageKind.METRICS:
                self.send_metrics()
            elif kind is MessageKind.LEAVING:
                self.leaving.set()
        self.stopping.set()


@asynccontextmanager
async def supervised(inheritance: Inheritance) -> AsyncIterator[Supervised]:
    """Connect to the supervisor during the block, and send it the last metrics at the end."""
    messages = await MessageStream.open(inheritance.take_supervisor())
    supervisor = Supervised(messages)
    listening = asyncio.create_task(supervisor.listen())
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, supervisor.stopping.set)
    try:
        yield supervisor
    finally:
        listening.cancel()
        await asyncio.wait([listening])
        supervisor.send_metrics()
        await messages.close()


async def work_supervised(work: Coroutine[Any, Any, None], supervisor: Supervised) -> None:
    """Do endless work until the supervisor stops it or is gone. Raises what the work raises."""
    working, stopping = asyncio.create_task(work), asyncio.create_task(supervisor.stopping.wait())
    supervisor.send(MessageKind.STARTED)
    supervisor.send(MessageKind.READY)
    with measure_loop_lag():
        await asyncio.wait([working, stopping], return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    working.cancel()
    await asyncio.wait([working, stopping])
    if not working.cancelled():
        working.result()
