"""Child processes of the bench: the socket clients and the frame server.

Each ends with its block.
"""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.queueing.metrics import NotMeasured
from bench.queueing.users import User, write

LINE_BYTES = 2**22
"""Enough for one time for each of about ten thousand sockets."""


@dataclass(frozen=True, slots=True)
class Counts:
    """Counts since the start of the clients."""

    at_s: float
    frames: int
    bytes: int
    called_ms: tuple[float | None, ...]
    """For each person, when the socket received READY."""

    def frames_per_s(self, before: "Counts") -> float:
        return (self.frames - before.frames) / (self.at_s - before.at_s)

    def frame_bytes(self, before: "Counts") -> int:
        if self.frames == before.frames:
            raise NotMeasured("no frame came")
        return round((self.bytes - before.bytes) / (self.frames - before.frames))


class SocketClients:
    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def read_counts(self) -> Counts:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(b"\n")
        said = json.loads(await self._process.stdout.readline())
        return Counts(said["at_s"], said["frames"], said["bytes"], tuple(said["called_ms"]))

    async def over(self, seconds: float) -> tuple[Counts, Counts]:
        """Return the counts at the beginning and at the end of `seconds`."""
        before = await self.read_counts()
        await asyncio.sleep(seconds)
        return before, await self.read_counts()


@asynccontextmanager
async def open_socket_clients(
    people: Sequence[User], *, port: int, concert: str, directory: Path
) -> AsyncIterator[SocketClients]:
    path = directory / "people.json"
    write(list(people), path)
    async with _program("bench.queueing.position_subscribers", str(port), concert, str(path)) as process:
        assert process.stdout is not None
        if await process.stdout.readline() != b"READY\n":
            raise NotMeasured("the crowd could not open its sockets")
        yield SocketClients(process)


@asynccontextmanager
async def bare_server(sockets: int, frame_bytes: int) -> AsyncIterator[int]:
    """Run the frame server; yield its port."""
    async with _program("bench.queueing.frame_server", str(sockets), str(frame_bytes)) as process:
        assert process.stdout is not None
        yield int(await process.stdout.readline())


@asynccontextmanager
async def _program(module: str, *words: str) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", module, *words,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, limit=LINE_BYTES, start_new_session=True,
    )  # fmt: skip
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
