"""`make bench-layers`: measures the CPU time of a hold, and how the layers of Onsale share it.

The application runs in this process, on the stores of the other benchmarks, and 64 clients in the
same process send their holds through memory, each one when the last one has been answered. So
nothing but Onsale, its libraries and these clients uses CPU time here. A sampler finds the layers.
Holds are measured with a queue pass for each buyer, and without a waiting room. The results are
written to bench/results/hold_layers.json.
"""

import argparse
import asyncio
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import cycle, islice
from pathlib import Path
from typing import TextIO

from app import create_app
from bench.clients.console import write_status
from bench.clients.servers import run_stores
from bench.hold_layers.layers import LAYERS, OTHER, shares
from bench.hold_layers.local_server import CpuTime, LocalServer, own_server_core, serve_locally
from bench.hold_layers.sampler import sample_layers
from bench.metrics import NotMeasured
from bench.peers.onsale import OnsaleParticipant, claim_passes, describe_settings
from bench.provenance import SAME_INTERPRETER, describe_run
from bench.queueing.load import make_request, run_closed_loop
from bench.runs import Result, run_benchmark, spread
from bench.stock_sale import HOLD, StockSale, store_versions
from settings import Settings

RESULTS = Path(__file__).parents[1] / "results" / "hold_layers.json"
QUICK_RESULTS = RESULTS.with_name("hold_layers-quick.json")
"""Where a run with other options than the defaults is written, so that it replaces no result."""
TIME_LIMIT_S = 240.0
"""Several times as long as a run takes on an idle machine."""
CONNECTIONS = 64
PEOPLE = 1_000
"""Enough that each holds only a few tickets, because the store keeps a list of a person's holds."""
SUCCESS = "HoldTicketsSuccess"


@dataclass(frozen=True, slots=True)
class Plan:
    rounds: int = 5
    holds: int = 4_000
    """The number of holds in a round."""


DEFAULTS = Plan()


@dataclass(frozen=True, slots=True)
class Part:
    """The rounds with a queue pass, or those without one."""

    cpu_us: list[float] = field(default_factory=list)
    """The CPU time of a hold in each round."""
    noise: list[float] = field(default_factory=list)
    """The part of a core that other processes used in each round."""
    samples: Counter[str] = field(default_factory=Counter)
    """The number of samples in each layer."""


async def measure(plan: Plan) -> Result:
    parts: dict[str, Part] = {}
    with tempfile.TemporaryDirectory(prefix="onsale-bench-") as name:
        directory = Path(name)
        async with asyncio.timeout(TIME_LIMIT_S), run_stores(directory) as (valkey, mongod):
            with (directory / "log").open("w") as log:
                for with_pass in (True, False):
                    onsale = OnsaleParticipant(valkey, mongod, directory, SAME_INTERPRETER, with_pass=with_pass)
                    write_status(f"hold layers: {onsale.name}\n")
                    parts[onsale.name] = await _measure_part(onsale, plan, log)
    head = describe_run(settings=describe_settings(), python=SAME_INTERPRETER, versions=store_versions())
    ended = {"rounds": plan.rounds, "holds": plan.holds, "connections": CONNECTIONS}
    return {**head, **summarize_parts(parts), **ended}


async def _measure_part(onsale: OnsaleParticipant, plan: Plan, log: TextIO) -> Part:
    """Measure the holds of a sale. Its `python app.py` runs the workers and issues the tokens."""
    part = Part()
    async with onsale.open_sale(PEOPLE) as sale:
        passes = await claim_passes(sale) if onsale.with_pass else []
        settings = Settings.from_env({f"ONSALE_{name}": value for name, value in sale.app.settings.items()})
        requests = _make_requests(sale, passes)
        async with serve_locally(create_app(settings), log) as server:
            with own_server_core(sale.app.pid):
                # The first request of each person verifies their token and pass.
                await _hold(server, sale, list(islice(requests, PEOPLE)), Part())
                for _ in range(plan.rounds):
                    await _hold(server, sale, list(islice(requests, plan.holds)), part)
                    write_status(f"  {part.cpu_us[-1]:,.0f} µs of CPU time per hold\n")
    return part


def _make_requests(sale: StockSale, passes: Sequence[str]) -> Iterator[bytes]:
    """Yield holds with different keys. The buyers take turns."""
    with_passes = [{"queuePass": token} for token in passes] or [{} for _ in sale.people]
    for number, (user, with_pass) in enumerate(cycle(zip(sale.people, with_passes, strict=True))):
        yield make_request(sale.app.port, HOLD, {**sale.hold_input(f"layers-{number}"), **with_pass}, user.token)


async def _hold(server: LocalServer, sale: StockSale, requests: Sequence[bytes], part: Part) -> None:
    """Send the requests, and add their CPU time and samples to the part.

    Raises NotMeasured if an answer is wrong, or if the stock differs from the answers.
    """
    _, held = await sale.read_held()
    async with server.open_connections(CONNECTIONS, SUCCESS) as opened:
        used = CpuTime()
        with used.measure(len(requests)), sample_layers(part.samples):
            answered = len((await run_closed_loop(opened, iter(requests))).took_ms)
    await sale.check_held({"errors": {}, "good_in_all": answered}, held_before=held)
    part.cpu_us.append(used.us_each)
    part.noise.append(used.noise)


def summarize_parts(parts: Mapping[str, Part]) -> Result:
    """Return a row for each part, and for each layer its microseconds and its share by part."""
    rows, layers = [], {layer: Result(layer=layer, us={}, percent={}) for layer in (*LAYERS, OTHER)}
    for name, part in parts.items():
        if not part.samples:
            raise NotMeasured("no sample was taken; measure more holds")
        cpu_us = spread([round(us, 1) for us in part.cpu_us])
        samples = part.samples.total()
        rows.append({"server": name, "cpu_us": cpu_us, "samples": samples, "noise": max(part.noise)})
        for layer, percent in shares(part.samples).items():
            layers[layer]["us"][name] = round(cpu_us["median"] * percent / 100, 1)
            layers[layer]["percent"][name] = round(percent, 2)
    return {"rows": rows, "layers": [*layers.values()]}


def main(words: Sequence[str]) -> int:
    parser = argparse.ArgumentParser("python -m bench.hold_layers", description=__doc__)
    parser.add_argument("--rounds", type=int, default=DEFAULTS.rounds, help="how often each part is measured")
    parser.add_argument("--holds", type=int, default=DEFAULTS.holds, help="the number of holds in a round")
    options = parser.parse_args(words)
    plan = Plan(options.rounds, options.holds)
    return run_benchmark(measure(plan), RESULTS if plan == DEFAULTS else QUICK_RESULTS)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
