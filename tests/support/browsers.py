"""Drives Chromium through a Node process that runs stories."""

import asyncio
import os
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest

MAX_LINE_BYTES = 10_000_000
Answers = Mapping[str, Callable[..., Awaitable[object]]]
"""What a story may ask its test to do, by name. The results are sent to the story as JSON."""


class BrowserDriver:
    """A Node process that runs stories in one Chromium browser."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self.process, self._stdin, self._stdout = process, process.stdin, process.stdout

    async def run(self, **story: object) -> dict[str, Any]:
        """Run a story, and return what it saw and what its pages must not do."""
        return await self.run_answering({}, story)

    async def run_answering(self, answers: Answers, story: Mapping[str, object]) -> dict[str, Any]:
        """Run a story that asks for things which only its test can do."""
        self._send(story)
        report = await self._read()
        while "ask" in report:
            answer = answers[report.pop("ask")]
            self._send(await answer(**report))
            report = await self._read()
        assert "error" not in report, f"{report.pop('error')}\n{report}"
        return report

    def _send(self, value: object) -> None:
        self._stdin.write(orjson.dumps(value) + b"\n")

    async def _read(self) -> dict[str, Any]:
        line = await self._stdout.readline()
        assert line, f"the browser ended with {await self.process.wait()}"
        read: dict[str, Any] = orjson.loads(line)
        return read

    async def end(self) -> None:
        self._stdin.close()
        await self.process.wait()


@asynccontextmanager
async def driving(directory: Path, url: str, chromium: str, *options: str) -> AsyncIterator[BrowserDriver]:
    """Run the `run.mjs` of a directory within the block. `options` are more options of Chromium."""
    process = await asyncio.create_subprocess_exec(
        *("node", "run.mjs", url, chromium, *options),
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
