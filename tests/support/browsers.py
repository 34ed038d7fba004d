"""Drives Chromium through a Node process that runs stories."""

import asyncio
import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest

MAX_LINE_BYTES = 10_000_000


class BrowserDriver:
    """A Node process that runs stories in one Chromium browser."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self.process, self._stdin, self._stdout = process, process.stdin, process.stdout

    async def run(self, **story: object) -> dict[str, Any]:
        """Run a story, and return what it saw and what its pages must not do."""
        self._stdin.write(orjson.dumps(story) + b"\n")
        line = await self._stdout.readline()
        assert line, f"the browser ended with {await self.process.wait()}"
        report: dict[str, Any] = orjson.loads(line)
        assert "error" not in report, report["error"]
        return report

    async def end(self) -> None:
        self._stdin.close()
        await self.process.wait()


@asynccontextmanager
async def driving(directory: Path, url: str, chromium: str) -> AsyncIterator[BrowserDriver]:
    """Run the `run.mjs` of a directory within the block."""
    process = await asyncio.create_subprocess_exec(
        *("node", "run.mjs", url, chromium),
        cwd=directory,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=MAX_LINE_BYTES,
    )
    driver = BrowserDriver(process)
    try:
        yield driver
    finally:
        await driver.end()


def find_chromium(*, for_what: str) -> str:
    """Return the path of Chromium.

    If it is missing, the test is skipped, except in CI, where it fails.
    """
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if found is not None:
        return found
    message = f"chromium is missing, so {for_what}: install chromium"
    if os.environ.get("CI") == "true":
        pytest.fail(message)
    pytest.skip(message)
