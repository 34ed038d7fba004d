"""`python -m bench.simulation`, behind `make simulate`:
25 minutes per sale in seconds, on real scripts.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import uvloop

from bench.sale.progress import say
from bench.simulation.arrivals import make_arrivals
from bench.simulation.chart import draw
from bench.simulation.concert import settings_of
from bench.simulation.memory_room import MemoryRoom
from bench.simulation.outcomes import Prediction
from bench.simulation.redis_room import open_redis_room, open_script_client
from bench.simulation.report import document, table
from bench.simulation.room import Room
from bench.simulation.sale import Sale
from bench.simulation.scenarios import SCENARIOS, Scenario
from bench.simulation.scoring import curve, score_predictions

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "bench" / "results" / "estimates.json"
CHART = ROOT / "docs" / "estimates.svg"
SEEDS = (101, 102)
"""The estimator was tuned on seeds 1 to 6."""


def main(words: Sequence[str]) -> int:
    options = _parser().parse_args(words)
    started = time.monotonic()
    scenarios = [scenario for scenario in SCENARIOS if options.only in scenario.name]
    told = uvloop.run((_rehearse if options.rehearse else _simulate)(scenarios, options.seeds))
    scores = {
        name: score_predictions([answer for answers in runs for answer in answers]) for name, runs in told.items()
    }
    lasted_s = time.monotonic() - started
    sys.stdout.write(table(scores) + "\n")
    if options.rehearse:
        return 0
    curves = {name: curve(runs[0]) for name, runs in told.items()}
    results = document(scores, curves, seeds=options.seeds, lasted_s=lasted_s)
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(results) + "\n")
    if options.chart:
        CHART.write_text(draw(results))
    return 0


async def _simulate(scenarios: Sequence[Scenario], seeds: Sequence[int]) -> dict[str, list[list[Prediction]]]:
    """Return the predictions by scenario, one list per seed."""
    with tempfile.TemporaryDirectory(prefix="onsale-simulation-") as directory:
        async with open_script_client(Path(directory)) as client:
            return await _hold_all(scenarios, seeds, lambda scenario: open_redis_room(client, scenario))


async def _rehearse(scenarios: Sequence[Scenario], seeds: Sequence[int]) -> dict[str, list[list[Prediction]]]:
    async def room(scenario: Scenario) -> Room:
        return MemoryRoom(settings_of(scenario), scenario.stock)

    return await _hold_all(scenarios, seeds, room)


async def _hold_all(
    scenarios: Sequence[Scenario], seeds: Sequence[int], room_for: Callable[[Scenario], Awaitable[Room]]
) -> dict[str, list[list[Prediction]]]:
    told: dict[str, list[list[Prediction]]] = {scenario.name: [] for scenario in scenarios}
    for scenario in scenarios:
        for seed in seeds:
            say(f"{scenario.name}, seed {seed}: {scenario.about}\n")
            people = make_arrivals(scenario.people, scenario.pattern, seed=seed)
            sale = Sale(await room_for(scenario), scenario, people, seed=seed)
            told[scenario.name].append((await sale.hold()).told)
    return told


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m bench.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=list(SEEDS), help="each is another crowd (101 102)")
    parser.add_argument("--only", default="", help="scenarios with this in their name")
    parser.add_argument("--rehearse", action="store_true", help="in memory, ten times as fast; nothing is written")
    parser.add_argument("--chart", action="store_true", help="draw docs/estimates.svg")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
