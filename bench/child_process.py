"""Runs a benchmark program in its own process, which is killed at the end of the block."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

LINE_BYTES = 2**22
"""The longest line: enough for a timestamp for each of about ten thousand sockets."""


@dataclass(frozen=True, slots=True)
class ChildProcess:
    """Reads and writes lines on the program's standard output and input."""

    process: asyncio.subprocess.Process

    async def read_line(self) -> bytes:
        assert self.process.stdout is not None
        return await self.process.stdout.readline()

    async def request_line(self, request: str = "") -> bytes:
        """Write a line, which is empty by default, and return the answer to it."""
        assert self.process.stdin is not None
        self.process.stdin.write(request.encode() + b"\n")
        return await self.read_line()


@asynccontextmanager
async def run_child(module: str, *arguments: str) -> AsyncIterator[ChildProcess]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", module, *arguments,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, limit=LINE_BYTES, start_new_session=True,
    )  # fmt: skip
    try:
        yield ChildProcess(process)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
