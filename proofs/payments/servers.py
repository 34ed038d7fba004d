"""The servers of the proof: the stores, the sandbox, two apps and a worker.

The second app and the worker kill themselves between two steps of the saga, again and again.
"""

import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.clients.servers import AppServer, app_settings, run_app, run_payment_sandbox, run_stores
from payments.sandbox.process import SandboxProcess
from storage.embedded.ports import free_port
from storage.embedded.process import ServerProcess, ServerStartError, flags

ROOT = Path(__file__).parents[2]
MAX_STARTS = 10


class CrashingApp(AppServer):
    """An app that kills itself between two steps of the saga."""

    def __init__(self, directory: Path, settings: Mapping[str, str], *, seed: int) -> None:
        super().__init__(directory, settings)
        self._seed = seed
        self._starts = 0

    @property
    def working_directory(self) -> Path:
        return ROOT

    def _arguments(self) -> list[str]:
        self._starts += 1
        *arguments, _ = super()._arguments()
        options = flags({"seed": str(self._seed), "start": str(self._starts)})
        return [*arguments, "-m", "proofs.payments.crashing_app", *options]


class CrashingWorker(ServerProcess):
    """All workers, in one process that kills itself between two steps of the saga."""

    name = "the crashing worker"

    def __init__(self, directory: Path, *, redis_url: str, mongo_url: str, sandbox_url: str, seed: int) -> None:
        super().__init__(directory, executable=Path(sys.executable), port=None, options=())
        self._flags = {
            "redis-url": redis_url,
            "mongo-url": mongo_url,
            "sandbox-url": sandbox_url,
            "key-file": str(directory / "ticket-key"),
            "seed": str(seed),
        }
        self._starts = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def working_directory(self) -> Path:
        return ROOT

    def _arguments(self) -> list[str]:
        self._starts += 1
        settings = {**self._flags, "port": str(self.port), "start": str(self._starts)}
        return ["-m", "proofs.payments.crashing_worker", *flags(settings)]

    async def _is_ready(self) -> bool:
        return True


async def start_crashing(server: ServerProcess) -> None:
    """Start a server that kills itself. It may do so even before its start is noticed.

    Raises ServerStartError.
    """
    for attempt in range(1, MAX_STARTS + 1):
        try:
            await server.start()
        except ServerStartError:
            if server.exit_code != -signal.SIGKILL or attempt == MAX_STARTS:
                raise
        else:
            return


@dataclass(frozen=True, slots=True)
class Servers:
    valkey: ServerProcess
    mongod: ServerProcess
    sandbox: SandboxProcess
    app: AppServer
    crashing_app: CrashingApp
    worker: CrashingWorker

    @property
    def crashing(self) -> tuple[ServerProcess, ...]:
        """The servers that kill themselves."""
        return (self.crashing_app, self.worker)

    @property
    def others(self) -> tuple[ServerProcess, ...]:
        return (self.valkey, self.mongod, self.sandbox, self.app)

    @property
    def app_urls(self) -> tuple[str, ...]:
        return (self.app.url, self.crashing_app.url)


@asynccontextmanager
async def run_servers(directory: Path, *, seed: int) -> AsyncIterator[Servers]:
    """Run everything in the directory until the block ends. Raises ServerStartError."""
    app_port = free_port()
    if app_port is None:
        raise ServerStartError("no port is free for the first server")
    async with AsyncExitStack() as stack:
        valkey, mongod = await stack.enter_async_context(run_stores(directory))
        sandbox = await stack.enter_async_context(run_payment_sandbox(directory / "sandbox", app_port=app_port))
        settings = app_settings(valkey.url, mongod.url) | {"PAYMENT_URL": sandbox.url}
        app = await stack.enter_async_context(run_app(directory / "app-1", settings, port=app_port))
        crashing_app = CrashingApp(directory / "app-2", {**settings, "OIDC_ISSUER": app.issuer}, seed=seed)
        urls = {"redis_url": valkey.url, "mongo_url": mongod.url, "sandbox_url": sandbox.url}
        worker = CrashingWorker(directory / "worker", **urls, seed=seed)
        for server in (crashing_app, worker):
            await start_crashing(server)
            stack.push_async_callback(server.stop)
        yield Servers(valkey, mongod, sandbox, app, crashing_app, worker)
