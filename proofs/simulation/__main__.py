"""`python -m proofs.simulation`, behind `make simulate`: simulates sales with the real scripts.

Each sale lasts 25 minutes on a simulated clock but runs in seconds.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import uvloop

from bench.clients.console import write_status
from proofs.simulation.arrivals import make_arrivals
from proofs.simulation.chart import draw
from proofs.simulation.concert import settings_of
from proofs.simulation.memory_room import MemoryRoom
from proofs.simulation.outcomes import Prediction
from proofs.simulation.redis_room import open_redis_room, open_script_client
from proofs.simulation.report import make_document, table
from proofs.simulation.room import Room
from proofs.simulation.sale import Sale
from proofs.simulation.scenarios import SCENARIOS, Scenario
from proofs.simulation.scoring import curve, score_predictions

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "bench" / "results" / "estimates.json"
CHART = ROOT / "docs" / "estimates.svg"
SEEDS = (101, 102)
"""The default seeds, which differ from those on which the estimator was tuned (1 to 6)."""


def main(arguments: Sequence[str]) -> int:
    options = _parser().parse_args(arguments)
    started = time.monotonic()
    scenarios = [scenario for scenario in SCENARIOS if options.only in scenario.name]
    simulate = _simulate_in_memory if options.in_memory else _simulate_in_redis
    predictions = uvloop.run(simulate(scenarios, options.seeds))
    scores = {name: score_predictions([one for run in runs for one in run]) for name, runs in predictions.items()}
    lasted_s = time.monotonic() - started
    sys.stdout.write(table(scores) + "\n")
    if options.in_memory:
        return 0
    curves = {name: curve(runs[0]) for name, runs in predictions.items()}
    results = make_document(scores, curves, seeds=options.seeds, lasted_s=lasted_s)
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(results) + "\n")
    if options.chart:
        CHART.write_text(draw(results))
    return 0


async def _simulate_in_redis(scenarios: Sequence[Scenario], seeds: Sequence[int]) -> dict[str, list[list[Prediction]]]:
    """Return the predictions for each scenario, with one list per seed."""
    with tempfile.TemporaryDirectory(prefix="onsale-simulation-") as directory:
        async with open_script_client(Path(directory)) as client:
            return await _run_sales(scenarios, seeds, lambda scenario: open_redis_room(client, scenario))


async def _simulate_in_memory(scenarios: Sequence[Scenario], seeds: Sequence[int]) -> dict[str, list[list[Prediction]]]:
    async def room(scenario: Scenario) -> Room:
        return MemoryRoom(settings_of(scenario), scenario.stock)

    return await _run_sales(scenarios, seeds, room)


async def _run_sales(
    scenarios: Sequence[Scenario], seeds: Sequence[int], room_for: Callable[[Scenario], Awaitable[Room]]
) -> dict[str, list[list[Prediction]]]:
    predictions: dict[str, list[list[Prediction]]] = {scenario.name: [] for scenario in scenarios}
    for scenario in scenarios:
        for seed in seeds:
            write_status(f"{scenario.name}, seed {seed}: {scenario.about}\n")
            people = make_arrivals(scenario.people, scenario.pattern, seed=seed)
            sale = Sale(await room_for(scenario), scenario, people, seed=seed)
            predictions[scenario.name].append((await sale.run()).predictions)
    return predictions


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m proofs.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=list(SEEDS), help="random seeds (101 102)")
    parser.add_argument("--only", default="", help="run only scenarios whose name contains this")
    parser.add_argument(
        "--in-memory",
        action="store_true",
        help="use a room in memory, which is ten times as fast, and write no files",
    )
    parser.add_argument("--chart", action="store_true", help="also draw docs/estimates.svg")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
