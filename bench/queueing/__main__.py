"""`python -m bench.queueing`, run by `make bench-queue`: measures a waiting room on real stores.

It prints a table and writes the results as JSON. Every process that it starts is stopped, even
after an interrupt or a timeout.
"""

import argparse
import asyncio
import os
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from bench import prices
from bench.clients.console import write_status
from bench.clients.servers import DATABASE, run_stores
from bench.metrics import Metric, NotMeasured, as_json, merge_results, table
from bench.queueing import joins, pushes, slots, ticks
from bench.queueing.environment import ENTRY_CHANGED, POSITION_CHANGED, ROOM, run_bench_server
from bench.queueing.in_process_queue import InProcessQueue
from bench.queueing.users import make_users
from storage.connect import open_stores
from storage.embedded.process import ServerStartError
from storage.embedded.supervisor import StoreUrls
from web.server import configure_gc, run_program

PARTS = ("ticks", "joins", "slots", "pushes", "prices")
RESULTS = Path(__file__).parents[1] / "results" / "queue.json"
TIME_LIMIT_S = 900.0
"""More than twice the time that the measurements take on a machine with two cores."""
LIMITS_NOTE = """\
The store, the database, the server and the clients share this machine. Because one address may open
at most 5,000 sockets and one process 20,000 files, the ticks are measured on a hub without sockets.
"""


@dataclass(frozen=True, slots=True)
class Plan:
    sizes: tuple[int, ...] = (1_000, 10_000, 50_000)
    tick_s: float = 12.0
    """Longer than two lease renewals, and longer than a position can be delayed."""
    joiners: int = 24_000
    """More people than can join during the measurement."""
    joins_at_once: int = 64
    join_s: float = 4.0
    calling: slots.Plan = field(default_factory=slots.Plan)
    push_sockets: int = 5_000
    push_s: float = 6.0
    document: str = POSITION_CHANGED
    """What everyone subscribes to, except in the last two parts."""
    price_changes: prices.Plan = field(
        default_factory=lambda: prices.Plan(queue_sockets=10_000, stock_sockets=100, called=50, changes=5)
    )


SMOKE = Plan(
    sizes=(150, 300),
    tick_s=1.0,
    joiners=2_000,
    joins_at_once=4,
    join_s=0.2,
    calling=slots.Plan(
        sockets=40,
        calls=2,
        called_at_once=5,
        call_every_s=0.1,
        leave=3,
        buy=2,
        claim_timeout_s=5,
        settled_within_s=120.0,
    ),
    push_sockets=40,
    push_s=0.5,
    price_changes=prices.SMOKE,
)
"""Runs every part, but on a scale too small for meaningful results."""


@dataclass(slots=True)
class Findings:
    metrics: list[Metric] = field(default_factory=list)
    by_size: dict[str, Mapping[int, Metric]] = field(default_factory=dict)

    @property
    def rows(self) -> list[Metric]:
        return [*(metric for sizes in self.by_size.values() for metric in sizes.values()), *self.metrics]


async def measure(plan: Plan, only: str = "") -> Findings:
    """Run the measurements; `only` selects one of PARTS."""
    found = Findings()
    with tempfile.TemporaryDirectory(prefix="onsale-bench-") as name:
        directory = Path(name)
        async with asyncio.timeout(TIME_LIMIT_S), run_stores(directory) as (valkey, mongod):
            urls = StoreUrls(valkey.url, mongod.url)
            if only in ("", "ticks"):
                await _measure_in_process(found, urls, plan)
            if only in ("", "joins", "slots"):
                await _measure_server(found, urls, directory, plan, only)
            if only in ("", "pushes"):
                await _measure_pushes(found, urls, directory, plan)
            if only in ("", "prices"):
                await _measure_prices(found, urls, directory, plan)
    return found


async def _measure_in_process(found: Findings, urls: StoreUrls, plan: Plan) -> None:
    write_status("ticks: people join and subscribe in this process\n")
    async with open_stores(urls.redis, urls.mongo, DATABASE) as stores:
        queue = InProcessQueue.of(stores, urls)
        commands, others = await ticks.measure(queue, plan.sizes, seconds=plan.tick_s, document=plan.document)
    found.by_size["commands_per_tick"] = commands
    found.metrics += others


async def _measure_server(found: Findings, urls: StoreUrls, directory: Path, plan: Plan, only: str) -> None:
    async with run_bench_server(directory / "app", urls) as server:
        people = await make_users(server.issuer, server.app.data_dir, max(plan.joiners, plan.calling.sockets))
        if only in ("", "joins"):
            write_status("joins: people join over HTTP\n")
            found.metrics += await joins.measure(server, ROOM, people, at_once=plan.joins_at_once, seconds=plan.join_s)
        if only in ("", "slots"):
            write_status("slots: people with a socket are called, and leave, buy, or let their call expire\n")
            found.metrics += await slots.measure(server, people, directory, plan.calling, document=plan.document)


async def _measure_pushes(found: Findings, urls: StoreUrls, directory: Path, plan: Plan) -> None:
    write_status("pushes: the server pushes every change to everyone\n")
    async with run_bench_server(directory / "app-2", urls, pushes.PUSH_EVERY_CHANGE) as server:
        people = await make_users(
            server.issuer, server.app.data_dir, plan.push_sockets + pushes.count_leavers(plan.push_s)
        )
        found.metrics += await pushes.measure(
            server, people, directory, sockets=plan.push_sockets, seconds=plan.push_s, document=ENTRY_CHANGED
        )


async def _measure_prices(found: Findings, urls: StoreUrls, directory: Path, plan: Plan) -> None:
    async with run_bench_server(directory / "app-3", urls) as server:
        found.metrics += await prices.measure_on(server, directory, plan.price_changes)


def main(words: Sequence[str]) -> int:
    parser = argparse.ArgumentParser("python -m bench.queueing", description=__doc__)
    parser.add_argument("--only", choices=PARTS, default="", help="run only this part")
    parser.add_argument("--entry", action="store_true", help="select the entry with its id in all parts")
    parser.add_argument("--smoke", action="store_true", help="run all parts on a small scale")
    options = parser.parse_args(words)
    # Every server does this at startup, and this process runs a hub for 50,000 people as a server
    # would.
    configure_gc()
    began, load = time.monotonic(), os.getloadavg()[0]
    try:
        plan = replace(
            SMOKE if options.smoke else Plan(), document=ENTRY_CHANGED if options.entry else POSITION_CHANGED
        )
        found = run_program(measure(plan, options.only))
    except (NotMeasured, ServerStartError) as reason:
        write_status(f"The waiting room could not be measured: {reason}\n")
        return 2
    except TimeoutError:
        write_status(f"The waiting room could not be measured within {TIME_LIMIT_S:.0f} s; everything was stopped.\n")
        return 2
    except KeyboardInterrupt:
        write_status("\nThe measurement was interrupted; everything was stopped.\n")
        return 130
    duration = f"The machine's load was {load:.1f} at the start. The run took {time.monotonic() - began:.0f} s.\n"
    sys.stdout.write(f"{table(found.rows)}\n{LIMITS_NOTE}{duration}")
    if not options.smoke:
        results = as_json(found.metrics, found.by_size) | {"load_before": load, "is_entry_selected": options.entry}
        merge_results(RESULTS, results)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
