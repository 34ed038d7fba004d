"""An app process on real stores, and concerts in which no entry expires during a measurement."""

import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import MappingProxyType

from bench.clients.catalog import SaleConcert, free_concert, open_sale
from bench.clients.http_client import Client, open_client
from bench.clients.ledger import Ledger, Step
from bench.clients.servers import AppServer, app_settings, run_app
from bench.clients.tokens import sign_in
from domain.queues import RoomSettings
from storage.embedded.supervisor import StoreUrls

STOCK = 100_000
_POSITION = """
    version epoch state number position servingNumber waitingCount estimatedWait { p50Seconds p90Seconds }
    pass { token expiresInSeconds } stockAhead
"""
POSITION_CHANGED = f"subscription ($id: ID!) {{ queuePosition(concertId: $id) {{ {_POSITION} }} }}"
ENTRY_CHANGED = (
    f"subscription ($id: ID!) {{ queuePosition(concertId: $id) {{ {_POSITION} entry {{ id state position }} }} }}"
)
"""The same, plus the entry, whose id differs for each person."""
ROOM = RoomSettings(
    suspended=False,
    total_active_users=1_000,
    new_users_per_minute=1_000_000,
    heartbeat_timeout_ms=7_200_000,
    disconnect_grace_ms=7_200_000,
    pass_claim_timeout_ms=3_600_000,
    session_duration_ms=3_600_000,
)
HOLD_MS = 600_000
"""This and the timeouts of ROOM are longer than any measurement, so no entry or hold expires during
one.
"""


@dataclass(frozen=True, slots=True)
class BenchServer:
    """An app process, and a client that is signed in as its organizer, olivia."""

    app: AppServer
    client: Client
    token: str
    urls: StoreUrls

    @property
    def issuer(self) -> str:
        return self.app.issuer

    def cpu_s(self) -> float:
        """Return the CPU time that the server process has used so far.

        On a dedicated machine, CPU time would be the limit.
        """
        fields = Path(f"/proc/{self.app.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    async def open_concert(self, room: RoomSettings = ROOM) -> SaleConcert:
        draft = free_concert(STOCK, datetime.now(UTC), room)
        ends_at = datetime.now(UTC) + timedelta(days=1)
        terms = replace(draft.terms, sales_end_at=ends_at, starts_at=ends_at, hold_duration_ms=HOLD_MS)
        draft = replace(draft, terms=terms)
        return await open_sale(self.client, draft, self.token)

    async def organize(self, document: str, **input_: object) -> None:
        answer = await self.client.ask(Step.LOAD, document, {"input": input_}, self.token)
        if not isinstance(answer, dict) or not str(answer["__typename"]).endswith("Success"):
            raise RuntimeError(f"a request from the organizer was refused: {answer}")


@asynccontextmanager
async def run_bench_server(
    directory: Path, urls: StoreUrls, settings: Mapping[str, str] = MappingProxyType({})
) -> AsyncIterator[BenchServer]:
    async with (
        run_app(directory, {**app_settings(urls.redis, urls.mongo), **settings}) as app,
        open_client([app.url], Ledger()) as client,
    ):
        yield BenchServer(app, client, (await sign_in(app.issuer, ["olivia"]))["olivia"], urls)
