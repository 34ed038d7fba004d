"""`make bench-hold`: compares how many tickets servers hold per second.

Clients hold tickets as fast as the server answers, on 64 and on 256 keep-alive connections. Each
answer is checked, and the stock must have decreased by as many tickets as were held. Each server
has one core, and a new process and an empty store for each run; the stores and the load generator
share another core. Onsale takes part twice: with a queue pass for each buyer, and without a waiting
room. It is also measured with other loads, for example with releases. The results are written to
bench/results/hold.json.
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from bench.clients.console import write_status
from bench.peers.comparison import Comparison
from bench.peers.loads import LOADS
from bench.peers.participants import Participant
from bench.peers.peers import PEERS
from bench.peers.rounds import Attempt
from bench.provenance import SAME_INTERPRETER, shown_settings
from bench.runs import Result, add_options, drive, run_benchmark, spread, summarize
from bench.stock_sale import WARM_UP_S, flags

RESULTS = Path(__file__).parent / "results" / "hold.json"
QUICK_RESULTS = RESULTS.with_name("hold-quick.json")
"""Where a run with other options than the defaults is written, so that it replaces no result."""
TIME_LIMIT_S = 1_140.0
"""After this, no new run begins, so that everything ends within 20 minutes."""
ONSALE, ONSALE_PASS = "onsale", "onsale-pass"
WITH_MANY_CONNECTIONS = (ONSALE_PASS, ONSALE, "async-graphql", "gqlgen", "mercurius")
"""The servers that are also measured on more connections; 64 already keep the others busy."""
FIGURES = {"holds_per_s": "req_per_s", "p50_ms": "p50_ms", "p99_ms": "p99_ms", "max_ms": "max_ms"}
"""The figures of a row, and what the load generator calls them."""
BY_SERVER = {load.server: load for load in LOADS}
"""The loads, by the names that Onsale has with them."""
RATIOS = {
    "ratio_to_async_graphql": "async-graphql",
    "ratio_to_gqlgen": "gqlgen",
    "ratio_to_mercurius": "mercurius",
    "ratio_to_strawberry": "strawberry",
    "ratio_to_strawberry_caches": "strawberry-caches",
    "ratio_to_limit": "limit-http",
}


@dataclass(frozen=True, slots=True)
class Plan:
    connections: tuple[int, ...] = (64, 256)
    rounds: int = 3
    seconds: float = 3.0
    peers: tuple[str, ...] = ()
    """The names of the peers; all if there are none."""
    loads: tuple[str, ...] = tuple(load.name for load in LOADS)
    python: Path = SAME_INTERPRETER

    @property
    def is_whole(self) -> bool:
        """Return whether this measures everything, with any interpreter."""
        return replace(self, python=DEFAULTS.python) == DEFAULTS


DEFAULTS = Plan()
Rounds = Mapping[tuple[str, int], list[Result]]


async def measure(plan: Plan) -> Result:
    def list_attempts(participants: Sequence[Participant]) -> dict[tuple[str, int], tuple[Participant, Attempt]]:
        return {
            (one.name, count): (one, partial(_hold, one, count, plan.seconds))
            for count in plan.connections
            for one in participants
            if _suits(one, count, plan)
        }

    comparison = Comparison(
        "holds",
        TIME_LIMIT_S,
        lambda peer: peer.holds,
        list_attempts,
        _show,
        summarize_rounds,
        with_pass=True,
        loads=[load for load in LOADS if load.name in plan.loads],
    )
    result = await comparison.run(plan.peers, rounds=plan.rounds, python=plan.python, repeats=plan.is_whole)
    return {**result, "seconds": plan.seconds}


def _suits(participant: Participant, connections: int, plan: Plan) -> bool:
    if (load := BY_SERVER.get(participant.name)) is not None:
        return connections in load.connections
    return connections == plan.connections[0] or participant.name in WITH_MANY_CONNECTIONS


async def _hold(participant: Participant, connections: int, seconds: float) -> Result:
    async with participant.open_holds() as target:
        measured = {"connections": str(connections), "duration": f"{seconds}s", "warmup": f"{WARM_UP_S}s"}
        options = flags({**target.options, **measured})
        result = await drive(["hold", *options], watched=target.processes, timeout_s=seconds + 60)
        await target.check(result)
        return result


def _show(key: tuple[str, int], result: Result) -> None:
    name, connections = key
    rate, p99_ms = result["req_per_s"], result["p99_ms"]
    write_status(f"  {name:24}{connections:>5} connections{rate:>9,.0f} holds/s, p99 {p99_ms:,.1f} ms\n")


def summarize_rounds(rounds: Rounds) -> Result:
    """Return a row for each server and number of connections, and the figures that the goals name.

    The figures are Onsale's, by number of connections. The ratios are those of holds with a pass.
    """
    rates = {key: spread([result["req_per_s"] for result in results])["median"] for key, results in rounds.items()}
    with_pass = {count: rate for (name, count), rate in rates.items() if name == ONSALE_PASS}
    figures: Result = {
        "holds_per_s_with_pass": {str(count): rate for count, rate in with_pass.items()},
        "holds_per_s": {str(count): rate for (name, count), rate in rates.items() if name == ONSALE},
        "server_core_with_pass": {
            str(count): _median_cpu(results)["server"]
            for (name, count), results in rounds.items()
            if name == ONSALE_PASS
        },
    }
    for name, other in RATIOS.items():
        shared = [count for count in with_pass if rates.get((other, count))]
        figures[name] = {str(count): round(with_pass[count] / rates[other, count], 2) for count in shared}
    return {**figures, "rows": [_row(name, count, results) for (name, count), results in rounds.items()]}


def _median_cpu(results: Sequence[Result]) -> dict[str, float]:
    """Return the share of a core that each process used."""
    return {part: spread([result["cpu"][part] for result in results])["median"] for part in results[0]["cpu"]}


def _row(name: str, connections: int, results: Sequence[Result]) -> Result:
    renamed = [{ours: result[theirs] for ours, theirs in FIGURES.items()} for result in results]
    return {
        "server": name,
        "connections": connections,
        **summarize(renamed, tuple(FIGURES)),
        **_describe_load(name, results),
        "cpu": _median_cpu(results),
        "noise": max(result["noise"] for result in results),
        "rounds": len(results),
    }


def _describe_load(name: str, results: Sequence[Result]) -> Result:
    """Return what differs in the load of a row, and in the settings of its server."""
    load = BY_SERVER.get(name)
    if load is None:
        return {}
    row: Result = {"load": load.about}
    if load.settings:
        row["settings"] = shown_settings(load.settings)
    if load.release_every:
        row["releases_per_s"] = spread([result["releases_per_s"] for result in results])
    return row


def main(words: Sequence[str]) -> int:
    parser = argparse.ArgumentParser("python -m bench.holds", description=__doc__)
    add_options(parser, rounds=DEFAULTS.rounds, seconds=DEFAULTS.seconds)
    parser.add_argument("--connections", type=int, nargs="+", default=DEFAULTS.connections)
    names = [peer.name for peer in PEERS if peer.holds]
    parser.add_argument("--peers", nargs="+", default=(), choices=names, help="the servers beside Onsale")
    parser.add_argument(
        "--loads", nargs="*", default=DEFAULTS.loads, choices=DEFAULTS.loads, help="Onsale's other loads"
    )
    options = parser.parse_args(words)
    plan = Plan(
        tuple(options.connections),
        options.rounds,
        options.seconds,
        tuple(options.peers),
        tuple(options.loads),
        options.python,
    )
    return run_benchmark(measure(plan), RESULTS if plan.is_whole else QUICK_RESULTS)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
