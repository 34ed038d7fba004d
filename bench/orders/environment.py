"""The processes of a run: an app with its workers, the payment sandbox, Valkey and mongod."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
from pymongo import AsyncMongoClient

from bench.clients.catalog import SaleConcert, open_sale, sale_concert
from bench.clients.http_client import open_client
from bench.clients.ledger import Ledger
from bench.clients.servers import DATABASE, app_settings, run_app, run_stores
from bench.clients.tokens import sign_in
from domain.queues import NO_ROOM
from payments.sandbox.process import SandboxProcess
from settings.payment import SANDBOX_SECRET_KEY, SANDBOX_WEBHOOK_SECRET
from storage.embedded.process import ServerProcess
from web.payment_webhooks import PATH

STOCK = 100_000
COUNT_WRITE_CONCERNS = ("--setParameter", "reportOpWriteConcernCountersInServerStatus=true")
TIMEOUT_S = 60.0


@dataclass(frozen=True, slots=True)
class Writes:
    """Counts of what mongod has written since it started."""

    majority: int
    """Documents inserted or updated with write concern majority."""
    commands: int
    """Inserts and updates with any write concern; a command may write many documents."""


@dataclass(frozen=True, slots=True)
class OrderBench:
    app: ServerProcess
    sandbox: ServerProcess
    valkey: ServerProcess
    mongod: ServerProcess
    issuer: str
    data_dir: Path
    concert: SaleConcert
    mongo: AsyncMongoClient[dict[str, Any]]
    control: httpx2.AsyncClient
    """A client of the sandbox with the secret key."""

    def cpu_s(self) -> dict[str, float]:
        """Return the CPU time that each process has used so far."""
        children = {name: getattr(self, name) for name in ("app", "sandbox", "valkey", "mongod")}
        pids = {name: process.pid for name, process in children.items()} | {"client": os.getpid()}
        return {name: _cpu_s(pid) for name, pid in pids.items()}

    async def writes(self) -> Writes:
        status = await self.mongo.admin.command("serverStatus")
        concerns, commands = status["opWriteConcernCounters"], status["metrics"]["commands"]
        kinds = ("insert", "update")
        return Writes(
            sum(concerns[kind]["wmajority"] for kind in kinds), sum(commands[kind]["total"] for kind in kinds)
        )

    async def ask_sandbox(self, method: str, path: str, **fields: str) -> dict[str, Any]:
        parameters = {"params": fields} if method == "GET" else {"data": fields}
        response = await self.control.request(method, path, **parameters)  # type: ignore[arg-type]
        response.raise_for_status()
        document: dict[str, Any] = response.json()
        return document


@asynccontextmanager
async def run_order_bench(directory: Path) -> AsyncIterator[OrderBench]:
    sandbox = SandboxProcess(directory / "sandbox", secret=SANDBOX_WEBHOOK_SECRET)
    async with run_stores(directory, mongod_options=COUNT_WRITE_CONCERNS) as (valkey, mongod):
        await sandbox.start()
        try:
            settings = {**app_settings(valkey.url, mongod.url), "PAYMENT_URL": sandbox.url}
            async with (
                run_app(directory / "app", settings) as app,
                AsyncMongoClient[dict[str, Any]](mongod.url) as mongo,
                httpx2.AsyncClient(
                    base_url=sandbox.url,
                    headers={"Authorization": f"Bearer {SANDBOX_SECRET_KEY}"},
                    timeout=TIMEOUT_S,
                    trust_env=False,
                ) as control,
            ):
                concert = await _open_concert(app.url, app.issuer)
                bench = OrderBench(
                    app, sandbox, valkey, mongod, app.issuer, app.data_dir, concert, mongo=mongo, control=control
                )
                await bench.ask_sandbox(
                    "POST", "/sandbox/webhooks", url=f"{app.url}{PATH}", secret=SANDBOX_WEBHOOK_SECRET
                )
                yield bench
        finally:
            await sandbox.stop()


async def _open_concert(url: str, issuer: str) -> SaleConcert:
    """Open a sale that has no waiting room and lasts longer than any run."""
    now = datetime.now(UTC)
    draft = sale_concert(STOCK, now, NO_ROOM)
    terms = replace(draft.terms, starts_at=now + timedelta(days=2), sales_end_at=now + timedelta(days=1))
    async with open_client([url], Ledger()) as client:
        token = (await sign_in(issuer, ["olivia"]))["olivia"]
        return await open_sale(client, replace(draft, terms=terms), token)


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def orders_of(bench: OrderBench) -> Any:
    return bench.mongo[DATABASE]["orders"]
