"""`make bench-memory`: measures the memory of a socket with one subscription.

Each size has a new server. Everyone holds a ticket and a few sockets are opened and closed first,
so that what the server loads only once, and the tokens that it remembers, are not counted. Then all
sockets subscribe to the stock, receive changes for some seconds, are closed, and are opened again.
In one more measurement, each socket belongs to a person of its own, whose token the server sees for
the first time. The memory is the resident memory (RSS) of the server's process, minus what it had
before; it excludes the kernel's buffers. The results are written to bench/results/memory.json.
"""

import argparse
import asyncio
import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from bench.clients.console import write_status
from bench.clients.servers import run_stores
from bench.metrics import NotMeasured
from bench.provenance import SAME_INTERPRETER, describe_run
from bench.runs import Result, add_options, resident_kib, run_benchmark, summarize
from bench.stock_sale import StockSale, run_stock_sale, sale_settings, store_versions
from bench.subscribers import Subscribers
from storage.embedded.supervisor import StoreUrls

RESULTS = Path(__file__).parent / "results" / "memory.json"
QUICK_RESULTS = RESULTS.with_name("memory-quick.json")
"""Where a run with other options than the defaults is written, so that it replaces no result."""
TIME_LIMIT_S = 1_500.0
HOLDERS = 500
"""The people who hold tickets. They also share the sockets: each has 20 of 10,000."""
SHARED, OWN = "shared", "own"
"""Whether people share the sockets, or each socket belongs to a person of its own."""
WARM_UP_SOCKETS = 50
WARM_UP_S = 2.0
HOLD_CONNECTIONS = 8
SETTLE_S = 1.0
CLOSED_WITHIN_S = 30.0
POLL_S = 0.1
SPARE_FILES = 32
"""More than the server's other connections, to the stores and to this program, come and go."""
FIGURES = ("kib_per_socket", "kib_per_socket_loaded", "kib_per_socket_reopened", "kib_left_per_closed_socket")


@dataclass(frozen=True, slots=True)
class Plan:
    sizes: tuple[int, ...] = (1_000, 5_000, 10_000)
    own_person_sizes: tuple[int, ...] = (5_000,)
    """The sizes at which each socket belongs to a person of its own as well."""
    rounds: int = 3
    seconds: float = 4.0
    """How long the stock changes as fast as it can."""
    python: Path = SAME_INTERPRETER


DEFAULTS = Plan()


async def measure(plan: Plan) -> Result:
    sizes = [(SHARED, size) for size in plan.sizes] + [(OWN, size) for size in plan.own_person_sizes]
    rounds: dict[tuple[str, int], list[Result]] = {key: [] for key in sizes}
    with tempfile.TemporaryDirectory(prefix="onsale-bench-") as name:
        directory = Path(name)
        async with asyncio.timeout(TIME_LIMIT_S), run_stores(directory) as (valkey, mongod):
            urls = StoreUrls(valkey.url, mongod.url)
            head = describe_run(settings=sale_settings(urls), python=plan.python, versions=store_versions())
            for number in range(plan.rounds):
                for people, size in sizes:
                    write_status(f"memory: {size:,} sockets, {people} people, round {number + 1} of {plan.rounds}\n")
                    place = directory / f"app-{number}-{people}-{size}"
                    socket_owners = size if people == OWN else 0
                    running = run_stock_sale(
                        place, urls, people=HOLDERS, socket_owners=socket_owners, python=plan.python
                    )
                    async with running as sale:
                        rounds[people, size].append(await _measure_sockets(sale, size, plan.seconds))
    rows = [
        {"server": "onsale", "sockets": size, "people": people, **summarize(found, FIGURES)}
        for (people, size), found in rounds.items()
    ]
    return {**head, **_by_size(rows), "rounds": plan.rounds, "rows": rows}


def _by_size(rows: Sequence[Result]) -> Result:
    """Return the median of each figure by the number of sockets that people share."""
    shared = [row for row in rows if row["people"] == SHARED]
    return {name: {str(row["sockets"]): row[name]["median"] for row in shared} for name in FIGURES}


async def _measure_sockets(sale: StockSale, size: int, seconds: float) -> Result:
    files = count_files(sale.app.pid)
    async with _subscribe(sale, WARM_UP_SOCKETS) as subscribers:
        await _change_stock(sale, seconds=WARM_UP_S)
        await sale.check_newest(subscribers)
    await _wait_until_closed(sale, files)
    before = resident_kib(sale.app.pid)
    async with _subscribe(sale, size) as subscribers:
        subscribed = resident_kib(sale.app.pid)
        await _change_stock(sale, seconds=seconds)
        await sale.check_newest(subscribers)
        loaded = resident_kib(sale.app.pid)
    await _wait_until_closed(sale, files)
    closed = resident_kib(sale.app.pid)
    async with _subscribe(sale, size) as subscribers:
        await sale.check_newest(subscribers)
        reopened = resident_kib(sale.app.pid)
    values = (subscribed, loaded, reopened, closed)
    return {name: round((kib - before) / size, 1) for name, kib in zip(FIGURES, values, strict=True)}


@asynccontextmanager
async def _subscribe(sale: StockSale, count: int) -> AsyncIterator[Subscribers]:
    async with sale.subscribe(count) as subscribers:
        await asyncio.sleep(SETTLE_S)
        yield subscribers


async def _change_stock(sale: StockSale, *, seconds: float) -> None:
    await sale.hold_in_closed_loop(connections=HOLD_CONNECTIONS, seconds=seconds, watched={})


async def _wait_until_closed(sale: StockSale, files: int) -> None:
    """Wait until the server has closed the sockets. Raises NotMeasured if it does not."""
    deadline = time.monotonic() + CLOSED_WITHIN_S
    while (opened := count_files(sale.app.pid)) > files + SPARE_FILES:
        if time.monotonic() > deadline:
            raise NotMeasured(f"the server has {opened - files} more open files than before its sockets were closed")
        await asyncio.sleep(POLL_S)
    await asyncio.sleep(SETTLE_S)


def count_files(pid: int) -> int:
    """Return how many files and sockets a process has open."""
    return len(os.listdir(f"/proc/{pid}/fd"))


def main(words: Sequence[str]) -> int:
    parser = argparse.ArgumentParser("python -m bench.memory", description=__doc__)
    add_options(parser, rounds=DEFAULTS.rounds, seconds=DEFAULTS.seconds)
    parser.add_argument("--sockets", type=int, nargs="+", default=DEFAULTS.sizes, help="the numbers of sockets")
    options = parser.parse_args(words)
    sizes = tuple(options.sockets)
    own_person_sizes = tuple(size for size in DEFAULTS.own_person_sizes if size in sizes)
    plan = Plan(sizes, own_person_sizes, rounds=options.rounds, seconds=options.seconds, python=options.python)
    is_full = replace(plan, python=DEFAULTS.python) == DEFAULTS
    return run_benchmark(measure(plan), RESULTS if is_full else QUICK_RESULTS)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
