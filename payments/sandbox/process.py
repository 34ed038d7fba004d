"""Runs the sandbox as a child process, beside the embedded stores."""

import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from payments.sandbox.defaults import WEBHOOK_SECRET
from storage.embedded.process import ServerProcess, flags
from storage.embedded.supervisor import find_url, run_server

ROOT = Path(__file__).parents[2]


class SandboxProcess(ServerProcess):
    """A sandbox with its database in `directory`. It keeps its port and data across restarts."""

    name = "the payment sandbox"

    def __init__(
        self,
        directory: Path,
        *,
        webhook: str | None = None,
        secret: str = WEBHOOK_SECRET,
        port: int | None = None,
        options: Sequence[str] = (),
    ) -> None:
        super().__init__(directory, executable=Path(sys.executable), port=port, options=options)
        self._webhook = webhook
        self._secret = secret

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def working_directory(self) -> Path:
        return ROOT

    def _arguments(self) -> list[str]:
        settings = {"data": str(self.directory), "port": str(self.port), "secret": self._secret}
        if self._webhook is not None:
            settings["webhook"] = self._webhook
        return ["-m", "payments.sandbox", *flags(settings)]

    async def _is_ready(self) -> bool:
        # The port accepts connections only after the database has been opened.
        return True


def find_sandbox(directory: Path) -> str | None:
    """Return the URL of the sandbox that another process runs in the directory, or None."""
    return find_url(directory, SandboxProcess)


@asynccontextmanager
async def run_sandbox(directory: Path, *, webhook: str, secret: str) -> AsyncIterator[str]:
    """Run a sandbox until the block ends, restart it whenever it exits, and yield its URL.

    Raises ServerStartError.
    """
    async with run_server(SandboxProcess(directory, webhook=webhook, secret=secret)) as process:
        yield process.url
