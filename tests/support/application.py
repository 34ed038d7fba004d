"""Runs `python app.py` and similar commands as real processes."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

import httpx2

from storage.embedded.lockfile import LockFile, LockHolder
from storage.embedded.ports import free_port
from tests.support.switches import switched_settings
from tests.support.waiting import wait_until

ROOT = Path(__file__).parents[2]
SUPERVISOR = ("app.py",)
START_TIMEOUT_S = 180.0
ANSWER_TIMEOUT_S = 60.0


AnyApplication = TypeVar("AnyApplication", bound="Application")


class Application:
    """An application process, whose output is written to `<data_dir>.log`.

    `settings` are environment variables without their prefix.
    """

    def __init__(self, data_dir: Path, *, command: Sequence[str] = SUPERVISOR, **settings: object) -> None:
        self.data_dir = data_dir
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.command = command
        self._settings = {"DATA_DIR": data_dir, "PORT": self.port, "DEMO": "no", **switched_settings(), **settings}
        self._process: asyncio.subprocess.Process | None = None

    @property
    def process(self) -> asyncio.subprocess.Process:
        assert self._process is not None, "not started"
        return self._process

    @property
    def output(self) -> str:
        return self._log_path.read_text()

    @property
    def _log_path(self) -> Path:
        return self.data_dir.with_suffix(".log")

    async def start(self) -> None:
        with self._log_path.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, *self.command, cwd=ROOT, env=self._environment(), stdout=log, stderr=log
            )

    async def ready(self) -> None:
        await wait_until(self._is_ready, timeout=START_TIMEOUT_S, what="the application")

    async def ended(self) -> int:
        """Wait for the process to end, and return its exit code."""
        async with asyncio.timeout(START_TIMEOUT_S):
            return await self.process.wait()

    async def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        if self.process.returncode is None:
            self.process.send_signal(number)
        return await self.ended()

    async def get(self, path: str) -> httpx2.Response:
        async with httpx2.AsyncClient(base_url=self.url, timeout=ANSWER_TIMEOUT_S) as client:
            return await client.get(path)

    def store_holder(self, name: str) -> LockHolder | None:
        """Return the process that runs a store, or None if the store has not started yet."""
        with LockFile(self.data_dir / name / "child.lock") as lock:
            return lock.last_holder()

    def store_url(self, name: str) -> str:
        holder = self.store_holder(name)
        assert holder is not None, f"{name} is not running"
        scheme, query = ("redis", "0") if name == "valkey" else ("mongodb", "?replicaSet=onsale")
        return f"{scheme}://127.0.0.1:{holder.port}/{query}"

    async def _is_ready(self) -> bool:
        if self.process.returncode is not None:
            raise AssertionError(f"the application ended with {self.process.returncode}:\n{self.output}")
        try:
            return (await self.get("/readyz")).status_code == 200
        except httpx2.TransportError:
            return False

    def _environment(self) -> dict[str, str]:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("ONSALE_")}
        return inherited | {f"ONSALE_{name}": str(value) for name, value in self._settings.items()}


@asynccontextmanager
async def started(application: AnyApplication) -> AsyncIterator[AnyApplication]:
    """Start the application, and stop it at the end of the block."""
    await application.start()
    try:
        await application.ready()
        yield application
    finally:
        await application.end()
