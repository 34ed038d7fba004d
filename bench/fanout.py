"""`make bench-fanout`: compares how fast servers push one change to thousands of sockets.

All sockets subscribe to the stock of six tiers. Each change is made as soon as every socket has
received the one before. Each server has one core, and a new process for each run; the stores and
the load generator share another core. Onsale, other GraphQL servers, and programs that show the
limits do the same work. The results are written to bench/results/fanout.json.
"""

import argparse
import asyncio
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from bench.clients.console import write_status
from bench.peers.comparison import Comparison
from bench.peers.participants import FanoutTarget, Participant
from bench.peers.peers import PEERS
from bench.peers.rounds import Attempt
from bench.provenance import SAME_INTERPRETER
from bench.runs import Result, add_options, drive, run_benchmark, spread, summarize
from bench.stock_sale import flags

RESULTS = Path(__file__).parent / "results" / "fanout.json"
QUICK_RESULTS = RESULTS.with_name("fanout-quick.json")
"""Where a run with other options than the defaults is written, so that it replaces no result."""
TIME_LIMIT_S = 1_020.0
"""After this, no new run begins, so that everything ends within 18 minutes."""
ONSALE, LIMIT = "onsale", "limit-frames"
SMALL, UUID, CHURN = "small", "uuid", "churn"
WITH_UUIDS = (ONSALE, "async-graphql", "mercurius", LIMIT)
MAX_UUID_SOCKETS = 5_000
CHURN_SOCKETS = 64
WARM_UP_SOCKETS, WARM_UP_S, SETTLE_S = 50, 1.0, 0.5
"""The first sockets of a run, so that what a server loads only once is not counted as theirs."""
FIGURES = (
    "deliveries_per_s", "p50_ms", "p99_ms", "max_ms", "reach", "kib_per_socket", "kib_per_socket_loaded",
    "seconds_to_subscribe_all", "message_bytes",
)  # fmt: skip
CHURN_FIGURES = ("churn_per_s", "p50_ms", "p99_ms")
RATIOS = {
    "ratio_to_async_graphql": "async-graphql",
    "ratio_to_mercurius": "mercurius",
    "ratio_to_gqlgen": "gqlgen",
    "ratio_to_strawberry_caches": "strawberry-caches",
    "ratio_to_limit": LIMIT,
}


@dataclass(frozen=True, slots=True)
class Plan:
    sizes: tuple[int, ...] = (1_000, 5_000, 10_000)
    rounds: int = 3
    seconds: float = 3.0
    peers: tuple[str, ...] = ()
    """The names of the peers; all if there are none."""
    python: Path = SAME_INTERPRETER

    @property
    def is_whole(self) -> bool:
        """Return whether this measures everything, with any interpreter."""
        return replace(self, python=DEFAULTS.python) == DEFAULTS


@dataclass(frozen=True, slots=True)
class Work:
    kind: str
    """SMALL or UUID, the kind of ids with which sockets subscribe, or CHURN."""
    sockets: int

    def suits(self, participant: Participant) -> bool:
        if self.kind == CHURN:
            return not participant.is_limit
        return self.sockets <= participant.max_sockets and (self.kind == SMALL or participant.name in WITH_UUIDS)


def list_work(plan: Plan) -> list[Work]:
    """Return the pieces of work of a round."""
    small = [Work(SMALL, size) for size in plan.sizes]
    with_uuids = [Work(UUID, size) for size in plan.sizes if size <= MAX_UUID_SOCKETS]
    return [*small, *with_uuids, Work(CHURN, CHURN_SOCKETS)]


DEFAULTS = Plan()
Rounds = Mapping[tuple[Work, str], list[Result]]


async def measure(plan: Plan) -> Result:
    def list_attempts(participants: Sequence[Participant]) -> dict[tuple[Work, str], tuple[Participant, Attempt]]:
        return {
            (work, one.name): (one, partial(_run, one, work, plan.seconds))
            for work in list_work(plan)
            for one in participants
            if work.suits(one)
        }

    comparison = Comparison("fan-out", TIME_LIMIT_S, lambda peer: peer.fans_out, list_attempts, _show, summarize_rounds)
    result = await comparison.run(plan.peers, rounds=plan.rounds, python=plan.python, repeats=plan.is_whole)
    return {**result, "seconds": plan.seconds}


async def _run(participant: Participant, work: Work, seconds: float) -> Result:
    async with participant.open_fanout() as target:
        if work.kind == CHURN:
            measured = {"sockets": str(work.sockets), "duration": f"{seconds}s"}
            options = flags({**target.subscribing, **measured})
            return await drive(["churn", *options], watched={"server": target.pid}, timeout_s=seconds + 60)
        await _fan_out(target, WARM_UP_SOCKETS, work.kind, WARM_UP_S)
        await asyncio.sleep(SETTLE_S)
        result = await _fan_out(target, work.sockets, work.kind, seconds)
        await target.check(result)
        return result


async def _fan_out(target: FanoutTarget, sockets: int, ids: str, seconds: float) -> Result:
    measured = {"sockets": str(sockets), "ids": ids, "duration": f"{seconds}s"}
    options = flags({**target.subscribing, **target.ticking, **measured})
    return await drive(["fanout", *options], watched={"server": target.pid}, timeout_s=seconds + 150)


def _show(key: tuple[Work, str], result: Result) -> None:
    work, name = key
    rate = result["churn_per_s" if work.kind == CHURN else "deliveries_per_s"]
    line = f"  {name:18}{work.sockets:>7,} {work.kind:6}{rate:>10,.0f}/s, p99 {result['p99_ms']:,.1f} ms"
    write_status(line + (f", errors: {result['errors']}\n" if result["errors"] else "\n"))


def summarize_rounds(rounds: Rounds) -> Result:
    """Return a row for each server and piece of work, and the figures that the goals name."""
    rows = [_row(work, name, results) for (work, name), results in rounds.items()]
    return {**_figures(rows, SMALL, ""), **_figures(rows, UUID, "_uuid"), "rows": rows}


def _row(work: Work, name: str, results: Sequence[Result]) -> Result:
    figures = summarize(results, CHURN_FIGURES if work.kind == CHURN else FIGURES)
    counted = () if work.kind == CHURN else ("missing", "duplicates", "sockets_lost")
    cpu = {part: spread([result["cpu"][part] for result in results])["median"] for part in results[0]["cpu"]}
    return {
        "server": name,
        "kind": work.kind,
        "sockets": work.sockets,
        **figures,
        "cpu": cpu,
        **{key: sum(result[key] for result in results) for key in counted},
        "errors": sorted({error for result in results for error in result["errors"]}),
        "noise": max(result["noise"] for result in results),
        "rounds": len(results),
    }


def _figures(rows: Sequence[Result], kind: str, suffix: str) -> Result:
    """Return Onsale's figures, and the ratios of its rate to others, by number of sockets."""
    measured = {(row["server"], row["sockets"]): row for row in rows if row["kind"] == kind}
    ours = {str(size): row for (server, size), row in measured.items() if server == ONSALE}
    rates = {(server, str(size)): row["deliveries_per_s"]["median"] for (server, size), row in measured.items()}
    figures: Result = {
        f"deliveries_per_s{suffix}": {size: rates[ONSALE, size] for size in ours},
        f"delivery_p99_ms{suffix}": {size: row["p99_ms"]["median"] for size, row in ours.items()},
        f"reach{suffix}": {size: row["reach"]["min"] for size, row in ours.items()},
    }
    for name, other in RATIOS.items():
        shared = [size for size in ours if rates.get((other, size))]
        figures[f"{name}{suffix}"] = {size: round(rates[ONSALE, size] / rates[other, size], 2) for size in shared}
    return figures


def main(words: Sequence[str]) -> int:
    parser = argparse.ArgumentParser("python -m bench.fanout", description=__doc__)
    add_options(parser, rounds=DEFAULTS.rounds, seconds=DEFAULTS.seconds)
    parser.add_argument("--sockets", type=int, nargs="+", default=DEFAULTS.sizes, help="the numbers of sockets")
    names = [peer.name for peer in PEERS if peer.fans_out]
    parser.add_argument("--peers", nargs="+", default=(), choices=names, help="the servers beside Onsale")
    options = parser.parse_args(words)
    plan = Plan(tuple(options.sockets), options.rounds, options.seconds, tuple(options.peers), options.python)
    return run_benchmark(measure(plan), RESULTS if plan.is_whole else QUICK_RESULTS)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
