"""The environment of a self-contained sale: a Valkey, a mongod, and two app processes.

The processes share only these stores and one issuer. The first app is the issuer, so killing it
also removes the keys that the other one checks tokens with.
"""

import asyncio
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from bench.sale.sale_targets import SaleTarget
from settings import Settings
from storage.embedded import supervisor
from storage.embedded.process import ServerProcess

APP = Path(__file__).parents[2] / "app.py"
DATABASE = Settings().mongo_database
PROBE_TIMEOUT_S = 2.0


class AppServer(ServerProcess):
    """`python app.py` with exactly these settings: the caller's environment may contain others."""

    name = "app.py"

    def __init__(self, directory: Path, settings: Mapping[str, str]) -> None:
        super().__init__(directory, executable=Path("/usr/bin/env"), port=None, options=())
        self._settings = settings

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def issuer(self) -> str:
        """The issuer that this server serves itself."""
        return Settings(port=self.port).issuer

    def _arguments(self) -> list[str]:
        settings = {**self._settings, "PORT": str(self.port), "DATA_DIR": str(self.directory / "data")}
        return ["-i", *(f"ONSALE_{name}={value}" for name, value in settings.items()), sys.executable, str(APP)]

    async def _is_ready(self) -> bool:
        async with httpx2.AsyncClient(timeout=PROBE_TIMEOUT_S, trust_env=False) as http:
            try:
                return (await http.get(f"{self.url}/readyz")).status_code == 200
            except httpx2.TransportError:
                return False


@dataclass(frozen=True, slots=True)
class OwnServers:
    valkey: ServerProcess
    mongod: ServerProcess
    apps: tuple[AppServer, AppServer]

    @property
    def target(self) -> SaleTarget:
        return SaleTarget(
            urls=tuple(app.url for app in self.apps),
            issuer=self.apps[0].issuer,
            redis_url=self.valkey.url,
            mongo_url=self.mongod.url,
            mongo_database=DATABASE,
            is_disposable=True,
        )

    async def kill_half(self) -> None:
        """Kill the store and one app with kill -9 at the same moment; then restart both."""
        await asyncio.gather(self.valkey.kill(), self.apps[0].kill())
        await asyncio.gather(self.valkey.start(), self.apps[0].start())


@asynccontextmanager
async def own_servers(directory: Path) -> AsyncIterator[OwnServers]:
    async with AsyncExitStack() as running:

        async def start(child: ServerProcess) -> None:
            await child.start()
            running.push_async_callback(child.stop)

        valkey, mongod = supervisor.make_valkey(directory / "valkey"), supervisor.make_mongod(directory / "mongod")
        await asyncio.gather(start(valkey), start(mongod))
        stores = {"REDIS_URL": valkey.url, "MONGO_URL": mongod.url, "MONGO_DATABASE": DATABASE, "DEMO": "no"}
        stores["PASS_KEY_FILE"] = str(_pass_key(directory / "pass.pem"))
        first = AppServer(directory / "app-1", stores)
        await start(first)
        second = AppServer(directory / "app-2", {**stores, "OIDC_ISSUER": first.issuer})
        await start(second)
        yield OwnServers(valkey, mongod, (first, second))


def _pass_key(path: Path) -> Path:
    """Create the pass key that both servers share, so that each accepts the other's passes."""
    key = Ed25519PrivateKey.generate()
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return path
