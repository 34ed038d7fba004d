"""`make bench-sockets`: 2,000 sockets on one process watch a concert whose stock changes ten times
a second.

Prints, and writes to bench/results/sockets.json, the hold latency meanwhile (p50, p99), the
messages that reach the sockets, and the memory of the process before, with the sockets, and at
the end: it is bounded if the last two are about equal. The sockets live in their own process;
server, stores and both clients share the machine.
"""

import argparse
import asyncio
import json
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from bench.sale.catalog import open_sale, sale_concert
from bench.sale.client import Client, client_of
from bench.sale.ledger import Ledger, Step
from bench.sale.servers import AppServer
from bench.sale.tokens import sign_in
from domain.queues import NO_ROOM
from storage.embedded import supervisor
from web.server import raise_open_file_limit

RESULTS = Path(__file__).parent / "results" / "sockets.json"
MOVES_A_SECOND = 10
STOCK = 100_000
HOLD = """mutation ($input: HoldTicketsInput!) { answer: holdTickets(input: $input) { __typename } }"""


@asynccontextmanager
async def one_app(directory: Path) -> AsyncIterator[AppServer]:
    valkey, mongod = supervisor.make_valkey(directory / "valkey"), supervisor.make_mongod(directory / "mongod")
    await asyncio.gather(valkey.start(), mongod.start())
    app = AppServer(directory / "app", {"REDIS_URL": valkey.url, "MONGO_URL": mongod.url, "DEMO": "no"})
    try:
        await app.start()
        yield app
    finally:
        for child in (app, mongod, valkey):
            await child.stop()


def resident_kib(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0])


class SocketClients:
    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def messages(self) -> int:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(b"\n")
        return int(await self._process.stdout.readline())


@asynccontextmanager
async def open_socket_clients(sockets: int, port: int, concert: str) -> AsyncIterator[SocketClients]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bench.stock_subscribers", "127.0.0.1", str(port), concert, str(sockets),
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        if await process.stdout.readline() != b"READY\n":
            raise RuntimeError("the crowd could not open its sockets")
        yield SocketClients(process)
    finally:
        process.kill()
        await process.wait()


async def move(client: Client, concert: str, tier: str, tokens: dict[str, str], seconds: float) -> list[float]:
    """Hold tickets ten times a second, each for another person; return the latencies in ms."""
    took_ms: list[float] = []
    started = time.monotonic()
    for number in range(int(seconds * MOVES_A_SECOND)):
        await asyncio.sleep(max(started + number / MOVES_A_SECOND - time.monotonic(), 0))
        input_ = {"concertId": concert, "lines": [{"tierId": tier, "quantity": 1}], "idempotencyKey": f"m{number}"}
        token = list(tokens.values())[number % len(tokens)]
        asked = time.perf_counter()
        answer = await client.ask(Step.HOLD, HOLD, {"input": input_}, token)
        took_ms.append((time.perf_counter() - asked) * 1000)
        if not isinstance(answer, dict) or answer["__typename"] != "HoldTicketsSuccess":
            raise RuntimeError(f"a hold was refused: {answer}")
    return sorted(took_ms)


async def measure(sockets: int, seconds: float, directory: Path) -> dict[str, float]:
    async with one_app(directory) as app, client_of([app.url], Ledger()) as client:
        tokens = await sign_in(app.issuer, ["olivia", *(f"buyer{number}" for number in range(100))])
        draft = sale_concert(STOCK, datetime.now(UTC))
        draft = replace(draft, room=NO_ROOM, terms=replace(draft.terms, limit_per_person=1_000))
        concert = await open_sale(client, draft, tokens.pop("olivia"))
        before = resident_kib(app.pid)
        async with open_socket_clients(sockets, app.port, concert.id) as crowd:
            seen, with_sockets = await crowd.messages(), resident_kib(app.pid)
            took_ms = await move(client, concert.id, concert.tier_ids[0], tokens, seconds)
            delivered = await crowd.messages() - seen
            return {
                "sockets": sockets,
                "seconds": seconds,
                "hold_p50_ms": round(took_ms[len(took_ms) // 2], 1),
                "hold_p99_ms": round(took_ms[int(len(took_ms) * 0.99)], 1),
                "deliveries_per_s": round(delivered / seconds),
                "pushes_per_socket_per_s": round(delivered / seconds / sockets, 1),
                "before_mib": round(before / 1024, 1),
                "with_sockets_mib": round(with_sockets / 1024, 1),
                "at_the_end_mib": round(resident_kib(app.pid) / 1024, 1),
                "kib_per_socket": round((with_sockets - before) / sockets, 1),
            }


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.sockets", description=__doc__)
    parser.add_argument("--sockets", type=int, default=2_000)
    parser.add_argument("--seconds", type=float, default=20.0)
    arguments = parser.parse_args()
    # The socket client process inherits the limit.
    raise_open_file_limit()
    with tempfile.TemporaryDirectory(prefix="onsale-bench-") as directory:
        figures = asyncio.run(measure(arguments.sockets, arguments.seconds, Path(directory)))
    for name, value in figures.items():
        sys.stdout.write(f"{name:26}{value:>12,}\n")
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
