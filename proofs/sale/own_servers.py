"""The servers of a self-contained sale: a Valkey, a mongod, a payment sandbox, and two app
processes.

The app processes share only these servers and one issuer. The first app runs the issuer, so while
it is down, the other app cannot fetch the keys for checking tokens.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from bench.clients.servers import DATABASE, AppServer, app_settings, run_app, run_payment_sandbox, run_stores
from payments.sandbox.process import SandboxProcess
from proofs.sale.sale_targets import SaleTarget
from storage.embedded.ports import free_port
from storage.embedded.process import ServerProcess, ServerStartError


@dataclass(frozen=True, slots=True)
class OwnServers:
    valkey: ServerProcess
    mongod: ServerProcess
    sandbox: SandboxProcess
    apps: tuple[AppServer, AppServer]

    @property
    def target(self) -> SaleTarget:
        return SaleTarget(
            urls=tuple(app.url for app in self.apps),
            issuer=self.apps[0].issuer,
            redis_url=self.valkey.url,
            mongo_url=self.mongod.url,
            mongo_database=DATABASE,
            sandbox_url=self.sandbox.url,
            is_disposable=True,
        )

    async def kill_half(self) -> None:
        """Kill Valkey and one app with kill -9 at the same time, and then restart both."""
        await asyncio.gather(self.valkey.kill(), self.apps[0].kill())
        await asyncio.gather(self.valkey.start(), self.apps[0].start())


@asynccontextmanager
async def run_own_servers(directory: Path) -> AsyncIterator[OwnServers]:
    app_port = free_port()
    if app_port is None:
        raise ServerStartError("no port is free for the first server")
    async with (
        run_stores(directory) as (valkey, mongod),
        run_payment_sandbox(directory / "sandbox", app_port=app_port) as sandbox,
    ):
        settings = app_settings(valkey.url, mongod.url) | {"PAYMENT_URL": sandbox.url}
        settings["PASS_KEY_FILE"] = str(_make_pass_key(directory / "pass.pem"))
        async with (
            run_app(directory / "app-1", settings, port=app_port) as first,
            run_app(directory / "app-2", {**settings, "OIDC_ISSUER": first.issuer}) as second,
        ):
            yield OwnServers(valkey, mongod, sandbox, (first, second))


def _make_pass_key(path: Path) -> Path:
    """Create the pass key that both servers share, so that each accepts the other's passes."""
    key = Ed25519PrivateKey.generate()
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return path
