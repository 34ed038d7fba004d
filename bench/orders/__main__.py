"""`python -m bench.orders`, run by `make bench-orders`: measures how fast orders are paid.

Buyers purchase a ticket through GraphQL and pay for it at the sandbox; its webhook and the workers
make the order PAID. The app with its workers, the sandbox, Valkey, mongod and the load client all
share this machine. Parts of an order are also measured on their own, because they limit the whole.
The program prints a table and writes the results as JSON.
"""

import argparse
import asyncio
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from bench.clients.console import write_status
from bench.metrics import Metric, NotMeasured, as_json, median, merge_results, p99, table
from bench.orders import limits
from bench.orders.environment import OrderBench, orders_of, run_order_bench
from bench.orders.purchases import Buyers, buy_in_closed_loop, buy_in_open_loop, open_buyers
from bench.orders.storm import Event, pay_without_webhooks, send_storm
from bench.queueing.load import Timed
from bench.queueing.users import make_users
from storage.embedded.process import ServerStartError
from web.server import configure_gc, run_program

RESULTS = Path(__file__).parents[1] / "results" / "orders.json"
TIME_LIMIT_S = 290.0
ORDERS_PER_S = 500
"""The project's goal on two cores that all processes share."""
WEBHOOK_P99_MS = 50.0
EFFECTS_WITHIN_S = 60.0
FULFILLING = 4


@dataclass(frozen=True, slots=True)
class Plan:
    at_once: int = 64
    """The number of simultaneous buyers under full load."""
    warm_up: int = 400
    """The number of orders that are not measured, while processes load code, connections open and
    caches fill.
    """
    seconds: float = 10.0
    """How long orders are measured, under full and then half load."""
    fulfilled: int = 100
    fulfilled_per_s: float = 5.0
    """Documents are made on the same two cores, and each takes about 20 ms of one core."""
    webhooks: int = 2_000
    webhooks_per_s: float = 500.0
    """One webhook for each order at the target rate."""
    limit_s: float = 3.0
    """How long each limit is measured."""
    people: int = 12_000
    """More people than can buy during the measurement. Each person buys once."""


FULL = Plan()
SMOKE = Plan(at_once=4, warm_up=4, seconds=0.5, fulfilled=4, webhooks=10, webhooks_per_s=20.0, limit_s=0.2, people=200)
"""Runs every part, but on a scale too small for meaningful results."""


async def measure(plan: Plan) -> list[Metric]:
    with tempfile.TemporaryDirectory(prefix="onsale-bench-") as name:
        async with asyncio.timeout(TIME_LIMIT_S), run_order_bench(Path(name)) as bench:
            write_status("people: each gets a token\n")
            people = iter(await make_users(bench.issuer, bench.data_dir, plan.people))
            write_status("orders: buyers purchase and pay\n")
            async with open_buyers(bench, people, at_once=plan.at_once) as buyers:
                await buy_in_closed_loop(buyers, at_once=plan.at_once, seconds=0, at_least=plan.warm_up)
            write_status("documents: buyers wait until their documents are ready\n")
            await _wait_for_documents(bench)
            # With few connections, none is idle for so long that the app closes it.
            async with open_buyers(bench, people, at_once=FULFILLING) as buyers:
                fulfilled = await _measure_fulfilled(buyers, plan)
            async with open_buyers(bench, people, at_once=plan.at_once) as buyers:
                orders = await _measure_orders(bench, buyers, plan)
            write_status("webhooks: the events of paid orders arrive as a flood\n")
            async with open_buyers(bench, people, at_once=plan.at_once) as buyers:
                events = await pay_without_webhooks(bench, buyers, count=plan.webhooks, at_once=plan.at_once)
            storm = await _measure_webhooks(bench, events, plan)
            write_status("limits: parts of an order on their own\n")
            parts = await limits.measure(bench, at_once=plan.at_once, seconds=plan.limit_s)
            return [*orders, *fulfilled, *storm, *parts, *_ratios(orders[0], parts)]


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
            "documents written with a majority",
            count,
        ),
        Metric(
            "write_commands_per_order",
            round((written.commands - writes.commands) / count, 2),
            "commands that wrote them, including commands for leases; concurrent orders share commands",
            count,
        ),
        *[
            Metric(f"{name}_cpu_ms", round((used_s[name] - before) * 1000 / count, 2), "CPU time per order", count)
            for name, before in cpu_s.items()
        ],
    ]


async def _wait_for_documents(bench: OrderBench) -> None:
    """Wait until the documents of all orders are ready, so that the next orders do not queue."""
    deadline = time.monotonic() + EFFECTS_WITHIN_S
    while waiting := await orders_of(bench).count_documents({"effects.document": "DUE"}):
        if time.monotonic() > deadline:
            raise NotMeasured(f"{waiting} documents were not ready within {EFFECTS_WITHIN_S:.0f} s")
        await asyncio.sleep(0.1)


async def _measure_fulfilled(buyers: Buyers, plan: Plan) -> list[Metric]:
    """Measure how long an order takes until its document is ready, at a rate that the rendering can
    keep up with.
    """
    per_s = plan.fulfilled_per_s
    timed = await buy_in_open_loop(buyers, per_s=per_s, count=plan.fulfilled, until=buyers.fulfilled)
    return _latencies(
        "fulfilled", timed, f"from when a buyer was due to the order FULFILLED, at {per_s:.0f} per second"
    )


def _how(plan: Plan) -> str:
    return f"paid orders, {plan.at_once} buyers at once; the goal is {ORDERS_PER_S} on two cores"


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
    parser.add_argument("--at-once", type=int, default=FULL.at_once, help="the number of simultaneous buyers")
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
        merge_results(RESULTS, as_json(metrics, {}) | {"load_before": load})
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
