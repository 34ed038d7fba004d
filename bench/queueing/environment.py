"""The test environment:
Valkey and mongod as `make run` starts them, an app process, concerts with a room.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bench.sale.catalog import SaleConcert, open_sale, sale_concert
from bench.sale.client import Client, client_of
from bench.sale.ledger import Ledger, Step
from bench.sale.servers import AppServer
from bench.sale.tokens import sign_in
from domain.queues import RoomSettings
from settings import Settings
from storage.embedded import supervisor

DATABASE = Settings().mongo_database
STOCK = 100_000
ROOM = RoomSettings(
    suspended=False,
    total_active_users=1_000,
    new_users_per_minute=1_000_000,
    heartbeat_timeout_ms=7_200_000,
    disconnect_grace_ms=7_200_000,
    session_duration_ms=3_600_000,
)
"""The time-outs exceed every measurement, so no entry expires during it."""


@dataclass(frozen=True, slots=True)
class StoreUrls:
    redis: str
    mongo: str


@asynccontextmanager
async def run_stores(directory: Path) -> AsyncIterator[StoreUrls]:
    valkey, mongod = supervisor.make_valkey(directory / "valkey"), supervisor.make_mongod(directory / "mongod")
    try:
        await asyncio.gather(valkey.start(), mongod.start())
        yield StoreUrls(valkey.url, mongod.url)
    finally:
        await asyncio.gather(valkey.stop(), mongod.stop())


@dataclass(frozen=True, slots=True)
class BenchServer:
    """An app process, and olivia, the organizer of its concerts."""

    app: AppServer
    client: Client
    token: str
    urls: StoreUrls

    @property
    def issuer(self) -> str:
        return self.app.issuer

    def cpu_s(self) -> float:
        """Return the CPU time of the server process so far: its limit on a machine of its own."""
        fields = Path(f"/proc/{self.app.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    async def concert(self, room: RoomSettings = ROOM) -> SaleConcert:
        draft = sale_concert(STOCK, datetime.now(UTC), room)
        ends_at = datetime.now(UTC) + timedelta(days=1)
        draft = replace(draft, terms=replace(draft.terms, sales_end_at=ends_at, starts_at=ends_at))
        return await open_sale(self.client, draft, self.token)

    async def organize(self, document: str, **input_: object) -> None:
        answer = await self.client.ask(Step.LOAD, document, {"input": input_}, self.token)
        if not isinstance(answer, dict) or not str(answer["__typename"]).endswith("Success"):
            raise RuntimeError(f"what the organizer asked for was refused: {answer}")


@asynccontextmanager
async def run_app(directory: Path, urls: StoreUrls, settings: Mapping[str, str] = {}) -> AsyncIterator[BenchServer]:
    stores = {"REDIS_URL": urls.redis, "MONGO_URL": urls.mongo, "MONGO_DATABASE": DATABASE, "DEMO": "no"}
    app = AppServer(directory, {**stores, **settings})
    try:
        await app.start()
        async with client_of([app.url], Ledger()) as client:
            yield BenchServer(app, client, (await sign_in(app.issuer, ["olivia"]))["olivia"], urls)
    finally:
        await app.stop()


def data_dir_of(app: AppServer) -> Path:
    return app.directory / "data"
