"""The servers of the proof: the stores, the sandbox, two apps, and a worker that keeps crashing."""

import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.clients.servers import (
    DATABASE,
    AppServer,
    app_settings,
    run_app,
    run_payment_sandbox,
    run_stores,
)
from payments.sandbox.process import SandboxProcess
from proofs.payments.crashing_worker import CRASHED
from storage.embedded.ports import free_port
from storage.embedded.process import ServerProcess, ServerStartError, flags

ROOT = Path(__file__).parents[2]


class CrashingWorker(ServerProcess):
    """All workers in one process that ends between two steps of the saga, again and again."""

    name = "crashing worker"

    def __init__(self, directory: Path, *, redis_url: str, mongo_url: str, sandbox_url: str, seed: int) -> None:
        super().__init__(directory, executable=Path(sys.executable), port=None, options=())
        self._flags = {"redis-url": redis_url, "mongo-url": mongo_url, "sandbox-url": sandbox_url, "seed": str(seed)}
        self.starts = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def working_directory(self) -> Path:
        return ROOT

    def _arguments(self) -> list[str]:
        self.starts += 1
        settings = {**self._flags, "port": str(self.port), "start": str(self.starts)}
        return ["-m", "proofs.payments.crashing_worker", *flags(settings)]

    async def _is_ready(self) -> bool:
        return True

    def crashes(self) -> Counter[str]:
        """Return how often it has crashed at each point, from its log."""
        lines = (self.directory / "log").read_text(errors="replace").splitlines()
        return Counter(line.removeprefix(f"{CRASHED} ") for line in lines if line.startswith(CRASHED))


@dataclass(frozen=True, slots=True)
class Servers:
    valkey: ServerProcess
    mongod: ServerProcess
    sandbox: SandboxProcess
    apps: tuple[AppServer, AppServer]
    worker: CrashingWorker

    @property
    def all(self) -> tuple[ServerProcess, ...]:
        return (self.valkey, self.mongod, self.sandbox, *self.apps, self.worker)


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
        first = await stack.enter_async_context(run_app(directory / "app-1", settings, port=app_port))
        second = await stack.enter_async_context(
            run_app(directory / "app-2", {**settings, "OIDC_ISSUER": first.issuer})
        )
        worker = CrashingWorker(
            directory / "worker",
            redis_url=valkey.url,
            mongo_url=mongod.url,
            sandbox_url=sandbox.url,
            seed=seed,
        )
        await worker.start()
        stack.push_async_callback(worker.stop)
        yield Servers(valkey, mongod, sandbox, (first, second), worker)


__all__ = ["DATABASE", "CrashingWorker", "Servers", "run_servers"]
