"""`python -m bench.queueing`, behind `make bench-queue`: measures a waiting room on real stores.

The results are a table and JSON. Everything that it starts is stopped, also after an interrupt
or a time-out.
"""

import argparse
import asyncio
import json
import os
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench.queueing import joins, pushes, slots, ticks
from bench.queueing.environment import DATABASE, ROOM, StoreUrls, data_dir_of, run_app, run_stores
from bench.queueing.in_process_queue import InProcessQueue
from bench.queueing.metrics import Metric, NotMeasured, as_json, table
from bench.queueing.users import make_users
from bench.sale.progress import say
from storage.connect import open_stores
from storage.embedded.process import ServerStartError
from web.server import configure_gc, run_program

RESULTS = Path(__file__).parents[1] / "results" / "queue.json"
LIMIT_S = 290.0
BOUNDS = """\
Two cores carry the store, the database, the server and the crowd. An address may open 5,000 sockets, a process 20,000
files, so the ticks of 1,000 to 50,000 waiters are those of a hub without sockets.
"""


@dataclass(frozen=True, slots=True)
class Plan:
    sizes: tuple[int, ...] = (1_000, 10_000, 50_000)
    tick_s: float = 12.0
    """Longer than two lease renewals and than the longest delay of a position."""
    joiners: int = 24_000
    """More than a server can admit meanwhile."""
    joins_at_once: int = 64
    join_s: float = 4.0
    calling: slots.Plan = field(default_factory=slots.Plan)
    push_sockets: int = 5_000
    push_s: float = 6.0


SMOKE = Plan(
    sizes=(150, 300),
    tick_s=1.0,
    joiners=2_000,
    joins_at_once=4,
    join_s=0.2,
    calling=slots.Plan(sockets=40, calls=2, called_at_once=5, call_every_s=0.1, leave=3, buy=3, claim_timeout_s=3),
    push_sockets=40,
    push_s=0.5,
)
"""Runs every part; the results are meaningless."""


@dataclass(slots=True)
class Findings:
    figures: list[Metric] = field(default_factory=list)
    by_size: dict[str, Mapping[int, Metric]] = field(default_factory=dict)

    @property
    def rows(self) -> list[Metric]:
        return [*(figure for sizes in self.by_size.values() for figure in sizes.values()), *self.figures]


async def measure(plan: Plan, only: str = "") -> Findings:
    """Run the measurements; `only` selects one part: ticks, joins, slots or pushes."""
    found = Findings()
    with tempfile.TemporaryDirectory(prefix="onsale-bench-") as name:
        directory = Path(name)
        async with asyncio.timeout(LIMIT_S), run_stores(directory) as urls:
            if only in ("", "ticks"):
                await _in_process_queue(found, urls, plan)
            if only in ("", "joins", "slots"):
                await _on_a_server(found, urls, directory, plan, only)
            if only in ("", "pushes"):
                await _at_full_speed(found, urls, directory, plan)
    return found


async def _in_process_queue(found: Findings, urls: StoreUrls, plan: Plan) -> None:
    say("ticks: people join in this process, and watch\n")
    async with open_stores(urls.redis, urls.mongo, DATABASE) as stores:
        queue = InProcessQueue.of(stores, urls)
        commands, others = await ticks.measure(queue, plan.sizes, seconds=plan.tick_s)
    found.by_size["commands_per_tick"] = commands
    found.figures += others


async def _on_a_server(found: Findings, urls: StoreUrls, directory: Path, plan: Plan, only: str) -> None:
    async with run_app(directory / "app", urls) as site:
        people = await make_users(site.issuer, data_dir_of(site.app), max(plan.joiners, plan.calling.sockets))
        if only in ("", "joins"):
            say("joins: people join over HTTP\n")
            found.figures += await joins.measure(site, ROOM, people, at_once=plan.joins_at_once, seconds=plan.join_s)
        if only in ("", "slots"):
            say("slots: people with a socket are called, leave, buy, and let their call lapse\n")
            found.figures += await slots.measure(site, people, directory, plan.calling)


async def _at_full_speed(found: Findings, urls: StoreUrls, directory: Path, plan: Plan) -> None:
    say("pushes: everybody sees every change\n")
    async with run_app(directory / "app-2", urls, pushes.EVERYBODY_AT_ONCE) as site:
        people = await make_users(site.issuer, data_dir_of(site.app), plan.push_sockets + pushes.leaving(plan.push_s))
        found.figures += await pushes.measure(site, people, directory, sockets=plan.push_sockets, seconds=plan.push_s)


def main(words: Sequence[str]) -> int:
    parser = argparse.ArgumentParser("python -m bench.queueing", description=__doc__)
    parser.add_argument("--only", choices=("ticks", "joins", "slots", "pushes"), default="", help="one part alone")
    parser.add_argument("--smoke", action="store_true", help="everything, so small that the figures say nothing")
    options = parser.parse_args(words)
    # Every server does this at start-up: a hub of 50,000 in this process represents one.
    configure_gc()
    began, load = time.monotonic(), os.getloadavg()[0]
    try:
        found = run_program(measure(SMOKE if options.smoke else Plan(), options.only))
    except (NotMeasured, ServerStartError) as reason:
        say(f"The waiting room could not be measured: {reason}\n")
        return 2
    except TimeoutError:
        say(f"The waiting room could not be measured within {LIMIT_S:.0f} s; what was started is stopped.\n")
        return 2
    except KeyboardInterrupt:
        say("\nThe measurement was interrupted; what it started is stopped.\n")
        return 130
    lasted = f"Load of the machine before: {load:.1f}. {time.monotonic() - began:.0f} s in all.\n"
    sys.stdout.write(f"{table(found.rows)}\n{BOUNDS}{lasted}")
    if not options.smoke and not options.only:
        RESULTS.parent.mkdir(exist_ok=True)
        RESULTS.write_text(json.dumps(as_json(found.figures, found.by_size) | {"load_before": load}, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
