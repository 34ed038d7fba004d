"""`python -m bench.orders`, run by `make bench-orders`: measures how fast orders are paid.

Buyers purchase a ticket through GraphQL and pay it at the sandbox; its webhook and the workers make
the order PAID. The app with its workers, the sandbox, Valkey, mongod and the load client all share
this machine. Parts of an order are measured on their own, as the limits of the whole. It prints a
table and writes the results as JSON.
"""

import argparse
import asyncio
import json
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from bench.clients.console import write_status
from bench.metrics import Metric, NotMeasured, as_json, median, p99, table
from bench.orders import limits
from bench.orders.environment import OrderBench, run_order_bench
from bench.orders.purchases import Buyers, buy_in_closed_loop, buy_in_open_loop, open_buyers
from bench.orders.storm import Event, pay_without_webhooks, send_storm
from bench.queueing.load import Timed
from bench.queueing.users import make_users
from storage.embedded.process import ServerStartError
from web.server import configure_gc, run_program

RESULTS = Path(__file__).parents[1] / "results" / "orders.json"
TIME_LIMIT_S = 290.0
ORDERS_PER_S = 500
"""The aim of the project for two cores, with all processes on them."""
WEBHOOK_P99_MS = 50.0


@dataclass(frozen=True, slots=True)
class Plan:
    at_once: int = 64
    """The number of buyers at a time under full load."""
    warm_up: int = 400
    """Orders that are not measured: processes load code, connections open, caches fill."""
    seconds: float = 10.0
    """How long orders are measured, under full and then half load."""
    webhooks: int = 2_000
    webhooks_per_s: float = 500.0
    """One webhook for each order of the aim."""
    limit_s: float = 3.0
    """How long each limit is measured."""
    people: int = 12_000
    """More people than can buy during the measurement. Each buys once."""


FULL = Plan()
SMOKE = Plan(at_once=4, warm_up=4, seconds=0.5, webhooks=10, webhooks_per_s=20.0, limit_s=0.2, people=200)
"""Runs every part, but on a scale too small for meaningful results."""


async def measure(plan: Plan) -> list[Metric]:
    with tempfile.TemporaryDirectory(prefix="onsale-bench-") as name:
        async with asyncio.timeout(TIME_LIMIT_S), run_order_bench(Path(name)) as bench:
            write_status("people: each gets a token\n")
            people = iter(await make_users(bench.issuer, bench.data_dir, plan.people))
            write_status("orders: buyers purchase and pay\n")
            async with open_buyers(bench, people, at_once=plan.at_once) as buyers:
                await buy_in_closed_loop(buyers, at_once=plan.at_once, seconds=0, at_least=plan.warm_up)
                orders = await _measure_orders(bench, buyers, plan)
            write_status("webhooks: the events of paid orders arrive in a storm\n")
            async with open_buyers(bench, people, at_once=plan.at_once) as buyers:
                events = await pay_without_webhooks(bench, buyers, count=plan.webhooks, at_once=plan.at_once)
            storm = await _measure_webhooks(bench, events, plan)
            write_status("limits: parts of an order on their own\n")
            parts = await limits.measure(bench, at_once=plan.at_once, seconds=plan.limit_s)
            return [*orders, *storm, *parts, *_ratios(orders[0], parts)]


async def _measure_orders(bench: OrderBench, buyers: Buyers, plan: Plan) -> list[Metric]:
    writes, cpu_s = await bench.writes(), bench.cpu_s()
    buyers.answered_ms.clear()
    full = await buy_in_closed_loop(buyers, at_once=plan.at_once, seconds=plan.seconds, at_least=plan.at_once)
    answered_ms = list(buyers.answered_ms)
    written, used_s = await bench.writes(), bench.cpu_s()
    count = len(full.took_ms)
    half = await buy_in_open_loop(buyers, per_s=full.per_s / 2, count=max(count // 2, 1))
    return [
        Metric("orders_per_s", round(full.per_s, 1), _how(plan), count),
        *_latencies("paid", full, "from purchaseTickets sent to the order PAID, at this rate"),
        *_latencies("paid_half_load", half, "the same at half the rate, from when each buyer was due"),
        p99("purchase_p99_ms", answered_ms, "from purchaseTickets sent to its answer with the client secret"),
        Metric(
            "majority_writes_per_order",
            round((written.majority - writes.majority) / count, 2),
            "documents written by the majority",
            count,
        ),
        Metric(
            "write_commands_per_order",
            round((written.commands - writes.commands) / count, 2),
            "commands that wrote them, with those for leases, because concurrent orders share commands",
            count,
        ),
        *[
            Metric(f"{name}_cpu_ms", round((used_s[name] - before) * 1000 / count, 2), "CPU time per order", count)
            for name, before in cpu_s.items()
        ],
    ]


def _how(plan: Plan) -> str:
    return f"paid orders, {plan.at_once} buyers at once; the aim is {ORDERS_PER_S} on two cores"


def _latencies(name: str, timed: Timed, what: str) -> list[Metric]:
    return [median(f"{name}_p50_ms", timed.took_ms, what), p99(f"{name}_p99_ms", timed.took_ms, what)]


async def _measure_webhooks(bench: OrderBench, events: Sequence[Event], plan: Plan) -> list[Metric]:
    timed = await send_storm(bench, events, per_s=plan.webhooks_per_s)
    what = f"webhooks at {timed.per_s:,.0f} per second, from when each was due, while workers apply them"
    return [
        median("webhook_p50_ms", timed.took_ms, what),
        p99("webhook_p99_ms", timed.took_ms, what, at_most=WEBHOOK_P99_MS),
    ]


def _ratios(orders: Metric, parts: Sequence[Metric]) -> list[Metric]:
    return [
        Metric(
            f"orders_to_{part.name.removesuffix('_per_s')}",
            round(orders.value / part.value, 3),
            f"orders_per_s divided by {part.name}",
            part.n,
        )
        for part in parts
    ]


def main(words: Sequence[str]) -> int:
    parser = argparse.ArgumentParser("python -m bench.orders", description=__doc__)
    parser.add_argument("--at-once", type=int, default=FULL.at_once, help="the number of buyers at a time")
    parser.add_argument("--seconds", type=float, default=FULL.seconds, help="how long orders are measured")
    parser.add_argument("--smoke", action="store_true", help="run all parts on a small scale")
    options = parser.parse_args(words)
    configure_gc()
    began, load = time.monotonic(), os.getloadavg()[0]
    plan = SMOKE if options.smoke else replace(FULL, at_once=options.at_once, seconds=options.seconds)
    try:
        metrics = run_program(measure(plan))
    except (NotMeasured, ServerStartError) as reason:
        write_status(f"Orders could not be measured: {reason}\n")
        return 2
    except TimeoutError:
        write_status(f"Orders could not be measured within {TIME_LIMIT_S:.0f} s; everything was stopped.\n")
        return 2
    except KeyboardInterrupt:
        write_status("\nThe measurement was interrupted; everything was stopped.\n")
        return 130
    duration = f"The machine's load was {load:.1f} at the start. The run took {time.monotonic() - began:.0f} s.\n"
    sys.stdout.write(f"{table(metrics)}\n{duration}")
    if not options.smoke:
        RESULTS.parent.mkdir(exist_ok=True)
        RESULTS.write_text(json.dumps(as_json(metrics, {}) | {"load_before": load}, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
