"""`make bench-operations`: measures the CPU time of each operation of a buyer.

Two applications run in this process, on the stores of the other benchmarks: one without compiled
plans, batches of holds and the fast path of HTTP, and one with them. 64 clients in the same process
send their requests through memory, each one when the last one has been answered. In each round,
both serve the same people in a sale of their own: these open the catalog, join the queue, send a
heartbeat, claim their passes, hold a ticket and buy one. The results are written to
bench/results/operations_cpu.json.
"""

import argparse
import asyncio
import sys
import tempfile
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

from app import create_app
from bench.clients.console import write_status
from bench.clients.servers import run_stores
from bench.clients.tokens import sign_in
from bench.hold_layers.local_server import CpuTime, LocalServer, own_server_core, serve_locally
from bench.operations.buyers import Buyers, Operation, answer_all
from bench.peers.loads import Load
from bench.peers.onsale import OnsaleParticipant, describe_settings
from bench.provenance import SAME_INTERPRETER, describe_run, shown_settings
from bench.runs import Result, run_benchmark, spread
from bench.stock_sale import StockSale, store_versions
from settings import Settings

RESULTS = Path(__file__).parents[1] / "results" / "operations_cpu.json"
QUICK_RESULTS = RESULTS.with_name("operations_cpu-quick.json")
"""Where a run with other options than the defaults is written, so that it replaces no result."""
TIME_LIMIT_S = 300.0
"""Several times as long as a run takes on an idle machine."""
CONNECTIONS = 64
BEFORE, AFTER = "before", "after"
SETTINGS = {
    BEFORE: {"COMPILED_PLANS": "no", "BATCHED_HOLDS": "no", "HTTP_FAST_PATH": "no"},
    AFTER: dict[str, str](),
}
"""The settings of the two applications that differ from those of the other benchmarks."""


@dataclass(frozen=True, slots=True)
class Plan:
    rounds: int = 5
    people: int = 500
    """The number of people in a round, each of whom sends each operation once."""
    pages: int = 100
    """The number of those who also open the catalog."""


DEFAULTS = Plan()


@dataclass(frozen=True, slots=True)
class Part:
    """The rounds of one operation with one application."""

    cpu_us: list[float] = field(default_factory=list)
    noise: list[float] = field(default_factory=list)


Parts = dict[str, dict[str, Part]]
"""The parts by operation and application."""


async def measure(plan: Plan) -> Result:
    parts: Parts = {}
    # The first round warms both applications up, and does not count.
    load = Load("operations", "", concerts=len(SETTINGS) * (plan.rounds + 1))
    with tempfile.TemporaryDirectory(prefix="onsale-bench-") as name:
        directory = Path(name)
        async with asyncio.timeout(TIME_LIMIT_S), run_stores(directory) as (valkey, mongod):
            onsale = OnsaleParticipant(valkey, mongod, directory, SAME_INTERPRETER, with_pass=True, load=load)
            async with onsale.open_sale(plan.people) as sale:
                await _measure_rounds(sale, plan, parts, directory / "log")
    head = describe_run(settings=describe_settings(), python=SAME_INTERPRETER, versions=store_versions())
    ended = {"rounds": plan.rounds, "people": plan.people, "pages": plan.pages, "connections": CONNECTIONS}
    return {**head, "without": shown_settings(SETTINGS[BEFORE]), "rows": summarize_parts(parts), **ended}


async def _measure_rounds(sale: StockSale, plan: Plan, parts: Parts, log_file: Path) -> None:
    """Measure a sale for each round and application. Its `python app.py` runs the workers."""
    organizer = (await sign_in(sale.app.issuer, ["olivia"]))["olivia"]
    concerts = iter(sale.concerts)
    async with AsyncExitStack() as stack:
        log = stack.enter_context(log_file.open("w"))
        servers = {
            kind: await stack.enter_async_context(serve_locally(create_app(_settings(sale, changes)), log))
            for kind, changes in SETTINGS.items()
        }
        stack.enter_context(own_server_core(sale.app.pid))
        for number in range(plan.rounds + 1):
            write_status(f"operations: round {number} of {plan.rounds}\n" if number else "operations: warming up\n")
            for kind, server in servers.items():
                buyers = Buyers(sale, next(concerts), organizer)
                measured = await _measure_sale(server, buyers, plan.pages)
                for name, used in measured.items() if number else ():
                    part = parts.setdefault(name, {}).setdefault(kind, Part())
                    part.cpu_us.append(used.us_each)
                    part.noise.append(used.noise)


def _settings(sale: StockSale, changes: Mapping[str, str]) -> Settings:
    return Settings.from_env({f"ONSALE_{name}": value for name, value in {**sale.app.settings, **changes}.items()})


async def _measure_sale(server: LocalServer, buyers: Buyers, pages: int) -> dict[str, CpuTime]:
    """Return the CPU time of each operation in one sale."""
    measured: dict[str, CpuTime] = {}
    await buyers.pause()
    for operation in buyers.list_waiting(pages):
        measured[operation.name], _ = await _send(server, operation)
    await buyers.resume()
    for operation in buyers.list_called():
        measured[operation.name], answers = await _send(server, operation)
        if operation.name == "claim":
            buyers.keep_passes(answers)
    return measured


async def _send(server: LocalServer, operation: Operation) -> tuple[CpuTime, list[bytes]]:
    """Send the requests of all people. Raises NotMeasured if one is refused."""
    async with server.open_connections(CONNECTIONS, operation.success) as opened:
        used = CpuTime()
        with used.measure(len(operation.requests)):
            answers = await answer_all(opened, operation.requests)
    return used, answers


def summarize_parts(parts: Parts) -> list[Result]:
    """Return a row for each operation, with its microseconds before and after, and their ratio."""
    rows: list[Result] = []
    for name, kinds in parts.items():
        us = {kind: spread([round(one) for one in part.cpu_us]) for kind, part in kinds.items()}
        ratio = round(us[BEFORE]["median"] / us[AFTER]["median"], 2)
        noise = max(max(part.noise) for part in kinds.values())
        rows.append({"operation": name, "before_us": us[BEFORE], "after_us": us[AFTER], "ratio": ratio, "noise": noise})
    return rows


def main(words: list[str]) -> int:
    parser = argparse.ArgumentParser("python -m bench.operations", description=__doc__)
    parser.add_argument("--rounds", type=int, default=DEFAULTS.rounds, help="how often each operation is measured")
    parser.add_argument("--people", type=int, default=DEFAULTS.people, help="the number of people in a round")
    parser.add_argument("--pages", type=int, default=DEFAULTS.pages, help="how many of them open the catalog")
    options = parser.parse_args(words)
    plan = Plan(options.rounds, options.people, options.pages)
    return run_benchmark(measure(plan), RESULTS if plan == DEFAULTS else QUICK_RESULTS)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
