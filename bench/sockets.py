"""`make bench-sockets`: measures a process with 2,000 subscriptions to one concert's stock.

The stock changes ten times a second. The program prints the p50 and p99 latency of the holds, the
number of messages that reach the sockets, and the memory of the process before the sockets open,
with all sockets open, and at the end. If the last two are about equal, memory use is bounded. The
results are also written to bench/results/sockets.json. The sockets are opened by a separate
process; the server, the stores and both clients share the machine.
"""

import argparse
import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from bench.clients.catalog import SaleConcert, free_concert, open_sale
from bench.clients.http_client import Client, open_client
from bench.clients.ledger import Ledger, Step, percentile
from bench.clients.servers import app_settings, run_app, run_stores
from bench.clients.tokens import sign_in
from bench.runs import resident_kib
from bench.subscribers import open_subscribers
from domain.queues import NO_ROOM
from web.open_files import raise_open_file_limit

RESULTS = Path(__file__).parent / "results" / "sockets.json"
HOLDS_PER_S = 10
STOCK = 100_000
HOLD = """mutation ($input: HoldTicketsInput!) { answer: holdTickets(input: $input) { __typename } }"""
STOCK_CHANGED = """subscription ($id: ID!) {
  stockChanged(concertId: $id) { version epoch soldOut tiers { tierId available held sold } }
}"""


async def hold_steadily(client: Client, concert: SaleConcert, tokens: Sequence[str], seconds: float) -> list[float]:
    """Hold a ticket ten times a second, for each person in turn; return the latencies in ms."""
    took_ms: list[float] = []
    started = time.monotonic()
    for number in range(int(seconds * HOLDS_PER_S)):
        await asyncio.sleep(max(started + number / HOLDS_PER_S - time.monotonic(), 0))
        lines = [{"tierId": concert.tier_ids[0], "quantity": 1}]
        input_ = {"concertId": concert.id, "lines": lines, "idempotencyKey": f"m{number}"}
        sent = time.perf_counter()
        answer = await client.ask(Step.HOLD, HOLD, {"input": input_}, tokens[number % len(tokens)])
        took_ms.append((time.perf_counter() - sent) * 1000)
        if not isinstance(answer, dict) or answer["__typename"] != "HoldTicketsSuccess":
            raise RuntimeError(f"a hold was refused: {answer}")
    return took_ms


async def measure(sockets: int, seconds: float, directory: Path) -> dict[str, float]:
    async with (
        run_stores(directory) as (valkey, mongod),
        run_app(directory / "app", app_settings(valkey.url, mongod.url)) as app,
        open_client([app.url], Ledger()) as client,
    ):
        tokens = await sign_in(app.issuer, ["olivia", *(f"buyer{number}" for number in range(100))])
        draft = free_concert(STOCK, datetime.now(UTC))
        draft = replace(draft, room=NO_ROOM, terms=replace(draft.terms, limit_per_person=1_000))
        concert = await open_sale(client, draft, tokens.pop("olivia"))
        before_kib = resident_kib(app.pid)
        async with open_subscribers(
            [(None, "127.0.0.1")] * sockets,
            port=app.port,
            document=STOCK_CHANGED,
            concert_id=concert.id,
            directory=directory,
        ) as subscribers:
            before, with_sockets_kib = await subscribers.read_counts(), resident_kib(app.pid)
            took_ms = await hold_steadily(client, concert, list(tokens.values()), seconds)
            delivered = (await subscribers.read_counts()).frames - before.frames
            return {
                "sockets": sockets,
                "seconds": seconds,
                "hold_p50_ms": round(percentile(took_ms, 0.50), 1),
                "hold_p99_ms": round(percentile(took_ms, 0.99), 1),
                "deliveries_per_s": round(delivered / seconds),
                "pushes_per_socket_per_s": round(delivered / seconds / sockets, 1),
                "before_mib": round(before_kib / 1024, 1),
                "with_sockets_mib": round(with_sockets_kib / 1024, 1),
                "at_the_end_mib": round(resident_kib(app.pid) / 1024, 1),
                "kib_per_socket": round((with_sockets_kib - before_kib) / sockets, 1),
            }


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.sockets", description=__doc__)
    parser.add_argument("--sockets", type=int, default=2_000)
    parser.add_argument("--seconds", type=float, default=20.0)
    arguments = parser.parse_args()
    # The process that opens the sockets inherits this limit.
    raise_open_file_limit()
    with tempfile.TemporaryDirectory(prefix="onsale-bench-") as directory:
        results = asyncio.run(measure(arguments.sockets, arguments.seconds, Path(directory)))
    for name, value in results.items():
        sys.stdout.write(f"{name:26}{value:>12,}\n")
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
