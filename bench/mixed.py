"""`make bench-mixed`: measures holds while the changes are pushed to thousands of sockets.

Clients hold tickets as fast as the server answers, first alone, and then while 5,000 sockets
subscribe to the stock that the holds change. The server pushes as soon as it can. At the end, every
socket must have the newest stock. The results are written to bench/results/mixed.json.
"""

import argparse
import asyncio
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from bench.clients.background import cancel_all
from bench.clients.console import write_status
from bench.clients.servers import run_stores
from bench.metrics import NotMeasured
from bench.provenance import SAME_INTERPRETER, describe_run
from bench.runs import Result, add_options, run_benchmark, run_undisturbed, spread, summarize
from bench.stock_sale import WARM_UP_S, StockSale, run_stock_sale, sale_settings, store_versions
from storage.embedded.process import ServerProcess
from storage.embedded.supervisor import StoreUrls

RESULTS = Path(__file__).parent / "results" / "mixed.json"
QUICK_RESULTS = RESULTS.with_name("mixed-quick.json")
"""Where a run with other options than the defaults is written, so that it replaces no result."""
TIME_LIMIT_S = 900.0
PEOPLE = 5_000
"""Enough that each holds only a few tickets, because the store keeps a list of a person's holds."""
ALONE, BESIDE = "alone", "beside"
HOLD_FIGURES = ("holds_per_s", "hold_p50_ms", "hold_p99_ms", "hold_max_ms")
PUSH_FIGURES = ("deliveries_per_s", "pushes_per_socket_per_s")
LISTEN_LONGER_S = 3.0
"""How long the sockets listen after the last hold should have been answered."""


@dataclass(frozen=True, slots=True)
class Plan:
    connections: tuple[int, ...] = (8, 64)
    sockets: int = 5_000
    rounds: int = 3
    seconds: float = 8.0
    python: Path = SAME_INTERPRETER


DEFAULTS = Plan()


async def measure(plan: Plan) -> Result:
    rounds: dict[tuple[str, int], list[Result]] = {
        (part, count): [] for part in (ALONE, BESIDE) for count in plan.connections
    }
    with tempfile.TemporaryDirectory(prefix="onsale-bench-") as name:
        directory = Path(name)
        async with asyncio.timeout(TIME_LIMIT_S), run_stores(directory) as (valkey, mongod):
            urls = StoreUrls(valkey.url, mongod.url)
            head = describe_run(settings=sale_settings(urls), python=plan.python, versions=store_versions())
            for number in range(plan.rounds):
                write_status(f"mixed: round {number + 1} of {plan.rounds}\n")
                place = directory / f"app-{number}"
                async with run_stock_sale(place, urls, people=PEOPLE, python=plan.python) as sale:
                    for key, result in (await _measure_round(sale, valkey, plan)).items():
                        rounds[key].append(result)
    return {**head, **_summarize(rounds), "sockets": plan.sockets, "people": PEOPLE, "rounds": plan.rounds}


async def _measure_round(sale: StockSale, valkey: ServerProcess, plan: Plan) -> dict[tuple[str, int], Result]:
    watched = {"server": sale.app.pid, "store": valkey.pid}
    found: dict[tuple[str, int], Result] = {}
    for count in plan.connections:
        found[ALONE, count] = await run_undisturbed(partial(_hold, sale, count, plan.seconds, watched))
    for count in plan.connections:
        found[BESIDE, count] = await run_undisturbed(partial(_hold_and_push, sale, count, plan, watched))
    return found


async def _hold(sale: StockSale, count: int, seconds: float, watched: Mapping[str, int]) -> Result:
    result = await sale.hold_in_closed_loop(connections=count, seconds=seconds, watched=watched)
    measured = (round(result[name], 2) for name in ("req_per_s", "p50_ms", "p99_ms", "max_ms"))
    return {**dict(zip(HOLD_FIGURES, measured, strict=True)), "cpu": result["cpu"], "noise": result["noise"]}


async def _hold_and_push(sale: StockSale, count: int, plan: Plan, watched: Mapping[str, int]) -> Result:
    """Measure holds, and the messages that the sockets receive meanwhile.

    The sockets listen until after the last hold. Only holds change the stock, so all messages
    arrive while holds are made. Raises NotMeasured unless all sockets end with the newest stock.
    """
    hold_s = WARM_UP_S + plan.seconds
    subscribed = asyncio.Event()
    listening = asyncio.create_task(
        sale.listen(sockets=plan.sockets, seconds=hold_s + LISTEN_LONGER_S, on_subscribed=subscribed.set)
    )
    try:
        waiting = asyncio.create_task(subscribed.wait())
        await asyncio.wait([waiting, listening], return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        if listening.done():
            listening.result()
        holds = await _hold(sale, count, plan.seconds, watched)
        heard = await listening
    finally:
        await cancel_all([listening])
    if heard["reach"] != 1.0 or heard["errors"]:
        raise NotMeasured(f"only {heard['reach']:.2%} of the sockets have the newest stock; errors: {heard['errors']}")
    per_s = heard["deliveries"] / hold_s
    pushes = {"deliveries_per_s": round(per_s), "pushes_per_socket_per_s": round(per_s / plan.sockets, 1)}
    return {**holds, **pushes, "cpu": {**holds["cpu"], "sockets": heard["cpu"]["client"]}}


def _summarize(rounds: Mapping[tuple[str, int], Sequence[Result]]) -> Result:
    """Return a row for each part, and the medians by part and number of connections."""
    rows: list[Result] = []
    medians: dict[str, dict[str, Result]] = {ALONE: {}, BESIDE: {}}
    for (part, count), results in rounds.items():
        figures = summarize(results, HOLD_FIGURES if part == ALONE else HOLD_FIGURES + PUSH_FIGURES)
        cpu = {name: spread([result["cpu"][name] for result in results])["median"] for name in results[0]["cpu"]}
        noise = max(result["noise"] for result in results)
        rows.append({"server": "onsale", "part": part, "connections": count, **figures, "cpu": cpu, "noise": noise})
        for name, figure in figures.items():
            medians[part].setdefault(name, {})[str(count)] = figure["median"]
    return {**medians[BESIDE], ALONE: medians[ALONE], "rows": rows}


def main(words: Sequence[str]) -> int:
    parser = argparse.ArgumentParser("python -m bench.mixed", description=__doc__)
    add_options(parser, rounds=DEFAULTS.rounds, seconds=DEFAULTS.seconds)
    parser.add_argument("--sockets", type=int, default=DEFAULTS.sockets)
    options = parser.parse_args(words)
    plan = replace(
        DEFAULTS, sockets=options.sockets, rounds=options.rounds, seconds=options.seconds, python=options.python
    )
    is_full = replace(plan, python=DEFAULTS.python) == DEFAULTS
    return run_benchmark(measure(plan), RESULTS if is_full else QUICK_RESULTS)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
