"""A child process, as its supervisor sees it.

It is executed anew, so it shares no memory with the supervisor, and it is killed if the supervisor
is killed.
"""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from socket import socket, socketpair

from prometheus_client.core import Metric

from storage.embedded import launcher
from telemetry.snapshots import read_snapshot
from web.processes.messages import MessageKind, MessageStream
from web.processes.supervised import OPTION, Inheritance

LAST_WORDS_S = 1.0


@dataclass(frozen=True, slots=True)
class Command:
    """How children are started."""

    program: Path
    """`app.py`."""
    environment: Mapping[str, str]


class Child:
    """Start it with `start`; `wait` returns when it has ended."""

    def __init__(
        self, process: asyncio.subprocess.Process, messages: MessageStream, on_end: Callable[["Child"], None]
    ) -> None:
        self._process = process
        self._messages = messages
        self._on_end = on_end
        self.started = asyncio.Event()
        """Set when the child works."""
        self.ready = asyncio.Event()
        """Set when its stores have answered once."""
        self.metrics: list[Metric] = []
        """The last metrics that it has sent."""
        self._answered = asyncio.Event()
        self._is_asked = False
        self._ended = asyncio.create_task(self._run())

    @classmethod
    async def start(
        cls, command: Command, kind: str, listener: socket | None, *, on_end: Callable[["Child"], None]
    ) -> "Child":
        """Start a child, which gets the listening socket if it is a server. `on_end` is called when
        it has ended. Raises OSError if it cannot be started.
        """
        ours, theirs = socketpair()
        with theirs:
            messages = await MessageStream.open(ours)
            try:
                process = await _execute(command, kind, theirs, listener)
            except BaseException:
                await messages.close()
                raise
        # Nothing is awaited between the start and this, so that a process is never forgotten.
        return cls(process, messages, on_end)

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def has_ended(self) -> bool:
        return self._ended.done()

    async def wait(self) -> int:
        """Return the exit code, once the process has ended; negative if a signal has ended it."""
        return await asyncio.shield(self._ended)

    async def wait_for(self, event: asyncio.Event, within_s: float) -> bool:
        """Return whether the event came in time. Returns False at once if the child ends."""
        waiting = asyncio.create_task(event.wait())
        try:
            await asyncio.wait([waiting, self._ended], timeout=within_s, return_when=asyncio.FIRST_COMPLETED)
            return event.is_set() and not self.has_ended
        finally:
            waiting.cancel()

    def announce_departure(self) -> None:
        """Make a server not ready. It serves requests until it is stopped."""
        self._messages.send(MessageKind.LEAVING)

    async def stop(self, within_s: float) -> int:
        """End the process, with SIGKILL if it takes longer. Returns its exit code."""
        self._signal(signal.SIGTERM)
        await asyncio.wait([self._ended], timeout=within_s)
        return await self.kill()

    async def kill(self) -> int:
        self._signal(signal.SIGKILL)
        return await self.wait()

    async def refresh_metrics(self, within_s: float) -> bool:
        """Ask for new metrics, and return whether they came in time."""
        self.ask_for_metrics()
        return await self.wait_for(self._answered, within_s)

    def ask_for_metrics(self) -> None:
        """Ask for new metrics, unless the answer to an earlier question is still missing."""
        if not self._is_asked:
            self._answered.clear()
            self._messages.send(MessageKind.METRICS)
            self._is_asked = True

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(number)

    async def _run(self) -> int:
        listening = asyncio.create_task(self._listen())
        code = await self._process.wait()
        # Its last metrics may still be on their way. A process that it has started may hold the
        # connection open, so its end is not awaited.
        await asyncio.wait([listening], timeout=LAST_WORDS_S)
        listening.cancel()
        await asyncio.wait([listening])
        await self._messages.close()
        self._on_end(self)
        return code

    async def _listen(self) -> None:
        async for kind, content in self._messages.receive():
            match kind:
                case MessageKind.STARTED:
                    self.started.set()
                case MessageKind.READY:
                    self.ready.set()
                case MessageKind.METRICS:
                    self.metrics = read_snapshot(content)
                    self._is_asked = False
                    self._answered.set()
                case MessageKind.LEAVING:
                    pass  # only the supervisor says this


async def _execute(command: Command, kind: str, theirs: socket, listener: socket | None) -> asyncio.subprocess.Process:
    listener_fd = None if listener is None else listener.fileno()
    inheritance = Inheritance(kind, theirs.fileno(), listener_fd)
    # Only Linux kills a child when its parent ends. Elsewhere the child notices the end of the
    # connection.
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-I", "-S", launcher.__file__, str(os.getpid())),
        *(sys.executable, str(command.program), OPTION, str(inheritance)),
        env=command.environment,
        stdin=asyncio.subprocess.DEVNULL,
        # In a new session, Ctrl-C in the terminal does not reach the child; the supervisor stops
        # its children in order.
        start_new_session=True,
        pass_fds=(theirs.fileno(), *(() if listener_fd is None else (listener_fd,))),
    )
