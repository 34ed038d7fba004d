"""The servers of a run: app processes, and the Valkey and mongod that `make run` would start."""

import asyncio
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2

from payments.sandbox.process import SandboxProcess
from settings import Settings
from storage.embedded import supervisor
from storage.embedded.process import ServerProcess

APP = Path(__file__).parents[2] / "app.py"
DATABASE = Settings().mongo_database
PROBE_TIMEOUT_S = 2.0
RATES = ("JOINS", "HOLDS", "PURCHASES", "HOLD_REQUESTS", "PAYMENT_SYNCS", "TRANSFERS", "CHECK_INS")


class AppServer(ServerProcess):
    """Runs `python app.py` with the given settings and an otherwise empty environment."""

    name = "app.py"

    def __init__(self, directory: Path, settings: Mapping[str, str], *, port: int | None = None) -> None:
        super().__init__(directory, executable=Path("/usr/bin/env"), port=port, options=())
        self._settings = settings

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def issuer(self) -> str:
        """The URL of the development issuer that this server runs."""
        return Settings(port=self.port).issuer

    @property
    def data_dir(self) -> Path:
        return self.directory / "data"

    @property
    def settings(self) -> dict[str, str]:
        return {**self._settings, "PORT": str(self.port), "DATA_DIR": str(self.data_dir)}

    def _arguments(self) -> list[str]:
        return ["-i", *(f"ONSALE_{name}={value}" for name, value in self.settings.items()), sys.executable, str(APP)]

    async def _is_ready(self) -> bool:
        async with httpx2.AsyncClient(timeout=PROBE_TIMEOUT_S, trust_env=False) as http:
            try:
                return (await http.get(f"{self.url}/readyz")).status_code == 200
            except httpx2.TransportError:
                return False


@asynccontextmanager
async def run_stores(
    directory: Path, *, valkey_options: Sequence[str] = (), mongod_options: Sequence[str] = ()
) -> AsyncIterator[tuple[ServerProcess, ServerProcess]]:
    """Run a Valkey and a mongod; unlike with `make run`, they are not restarted after a crash."""
    valkey = supervisor.make_valkey(directory / "valkey", options=valkey_options)
    mongod = supervisor.make_mongod(directory / "mongod", options=mongod_options)
    try:
        await asyncio.gather(valkey.start(), mongod.start())
        yield valkey, mongod
    finally:
        await asyncio.gather(valkey.stop(), mongod.stop())


def app_settings(redis_url: str, mongo_url: str) -> dict[str, str]:
    """Return the settings of an app that uses these stores and has no demo concerts.

    No rate is limited, because all clients of a run share one address.
    """
    rates = {f"LIMIT_{rate}_PER_{scope}": "off" for rate in RATES for scope in ("PERSON", "ADDRESS")}
    return {"REDIS_URL": redis_url, "MONGO_URL": mongo_url, "MONGO_DATABASE": DATABASE, "DEMO": "no", **rates}


@asynccontextmanager
async def run_payment_sandbox(directory: Path, *, app_port: int) -> AsyncIterator[SandboxProcess]:
    """Run a payment sandbox whose webhooks go to the app at this port. It is not restarted."""
    sandbox = SandboxProcess(directory, webhook=f"http://127.0.0.1:{app_port}/webhooks/payments")
    try:
        await sandbox.start()
        yield sandbox
    finally:
        await sandbox.stop()


@asynccontextmanager
async def run_app(directory: Path, settings: Mapping[str, str], *, port: int | None = None) -> AsyncIterator[AppServer]:
    app = AppServer(directory, settings, port=port)
    try:
        await app.start()
        yield app
    finally:
        await app.stop()
