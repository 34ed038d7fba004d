"""`make bench-prices`: measures how fast a new price reaches 2,000 sockets of one process.

Nearly all of them belong to people in a queue, at the default push intervals; the others watch the
stock. Meanwhile, people keep leaving the queue, so positions are pushed all the time. Each socket's
time runs from when the organizer's request is sent until the socket receives its first frame with
the new price. The results are also written to bench/results/prices.json. The sockets are opened by
separate processes; the server, the stores and the clients share the machine.
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
from functools import partial
from pathlib import Path

from bench.clients.background import run_in_background
from bench.clients.catalog import SaleConcert
from bench.clients.console import write_status
from bench.clients.ledger import Ledger
from bench.clients.observations import Observations
from bench.clients.queue_client import QueueClient
from bench.clients.servers import run_stores
from bench.metrics import Metric, NotMeasured, as_json, median, p99, table
from bench.queueing.environment import ROOM, BenchServer, run_bench_server
from bench.queueing.joins import join_all
from bench.queueing.users import User, credentials_of, make_users
from bench.subscribers import Subscribers, open_subscribers
from storage.embedded.process import ServerStartError
from storage.embedded.supervisor import StoreUrls
from web.open_files import raise_open_file_limit
from web.server import configure_gc, run_program

RESULTS = Path(__file__).parent / "results" / "prices.json"
TIME_LIMIT_S = 290.0
PRICE_P99_MS = 1_000.0
"""Everyone in a queue must get a new price within a second."""
FIRST_PRICE_MINOR = 5_001
LEAVE_EVERY_S = 0.1
"""How often a person ahead of the sockets leaves, which gives everyone behind a new position."""
CHANGE_S = 2.0
"""Longer than a change takes, so that people leave until the end."""

_STOCK = "tiers { tierId available price { amount minor currency } } priceRange { lowest { minor } highest { minor } }"
QUEUE_POSITION = f"""subscription ($id: ID!) {{
  queuePosition(concertId: $id) {{
    version epoch state number position servingNumber waitingCount estimatedWait {{ p50Seconds p90Seconds }}
    stock {{ {_STOCK} }}
  }}
}}"""
STOCK_CHANGED = f"subscription ($id: ID!) {{ stockChanged(concertId: $id) {{ version epoch {_STOCK} }} }}"
UPDATE = """mutation ($input: UpdateConcertInput!) {
  answer: updateConcert(input: $input) { __typename ... on DomainError { code message } }
}"""


@dataclass(frozen=True, slots=True)
class Plan:
    queue_sockets: int = 1_900
    stock_sockets: int = 100
    called: int = 50
    """How many of the people with a socket have been called. Each of these gets an individual
    payload.
    """
    changes: int = 20
    pause_s: float = 1.0
    """The pause between two changes, so that a socket is rarely due for another reason."""
    settled_within_s: float = 30.0


FULL = Plan()
SMOKE = Plan(queue_sockets=30, stock_sockets=5, called=3, changes=2, pause_s=0.1, settled_within_s=120.0)
"""Runs every part, but on a scale too small for meaningful results."""


async def measure(plan: Plan) -> list[Metric]:
    with tempfile.TemporaryDirectory(prefix="onsale-bench-") as name:
        directory = Path(name)
        async with (
            asyncio.timeout(TIME_LIMIT_S),
            run_stores(directory) as (valkey, mongod),
            run_bench_server(directory / "app", StoreUrls(valkey.url, mongod.url)) as server,
        ):
            return await measure_on(server, directory, plan)


async def measure_on(server: BenchServer, directory: Path, plan: Plan) -> list[Metric]:
    leavers = int(plan.changes * (plan.pause_s + CHANGE_S) / LEAVE_EVERY_S)
    people = await make_users(server.issuer, server.app.data_dir, plan.queue_sockets + leavers)
    called, rest = people[: plan.called], people[plan.called :]
    in_front, behind = rest[:leavers], rest[leavers:]
    concert = await server.open_concert(replace(ROOM, total_active_users=plan.called))
    for group in (called, in_front, behind):
        await join_all(server, concert, group, at_once=64)
    queue = QueueClient(server.client, Ledger(), concert, urls=[server.app.url], observations=Observations())
    watching = credentials_of([*called, *behind])
    subscribe = partial(open_subscribers, port=server.app.port, concert_id=concert.id, directory=directory)
    write_status(f"prices: {len(watching):,} people watch their positions, and {plan.stock_sockets} the stock\n")
    async with (
        subscribe(watching, document=QUEUE_POSITION) as in_queue,
        subscribe([(None, "127.0.0.1")] * plan.stock_sockets, document=STOCK_CHANGED) as at_stock,
        run_in_background(_leave(queue, in_front)),
    ):
        return await _measure_changes(server, concert, (in_queue, at_stock), plan)


async def _leave(queue: QueueClient, people: Sequence[User]) -> None:
    for user in people:
        await queue.leave(token=user.token)
        await asyncio.sleep(LEAVE_EVERY_S)


async def _measure_changes(
    server: BenchServer, concert: SaleConcert, groups: Sequence[Subscribers], plan: Plan
) -> list[Metric]:
    took_ms: list[list[float]] = [[] for _ in groups]
    answered_ms: list[float] = []
    used_ms: list[float] = []
    before = [await group.read_counts() for group in groups]
    for number in range(plan.changes):
        await asyncio.sleep(plan.pause_s)
        price_minor = FIRST_PRICE_MINOR + number
        for group in groups:
            await group.watch_for(f'"minor":{price_minor},')
        began_s, sent_ms = server.cpu_s(), time.time() * 1000
        tiers = [{"tierId": concert.tier_ids[0], "priceMinor": price_minor}]
        await server.organize(UPDATE, concertId=concert.id, tiers=tiers)
        answered_ms.append(time.time() * 1000 - sent_ms)
        for group, took in zip(groups, took_ms, strict=True):
            took += [at_ms - sent_ms for at_ms in await group.find_all(within_s=plan.settled_within_s)]
        used_ms.append((server.cpu_s() - began_s) * 1000)
    after = [await group.read_counts() for group in groups]
    frames = sum(counts.frames for counts in after) - sum(counts.frames for counts in before)
    in_queue, at_stock = took_ms
    sockets = f"{plan.queue_sockets + plan.stock_sockets:,} sockets"
    return [
        p99("price_p99_ms", in_queue + at_stock, f"from updateConcert sent to {sockets}", at_most=PRICE_P99_MS),
        median("price_p50_ms", in_queue + at_stock, "the same"),
        Metric("price_max_ms", round(max(in_queue + at_stock), 1), "the same, the slowest", len(in_queue + at_stock)),
        p99("queue_price_p99_ms", in_queue, "sockets of people in the queue, at the default push intervals"),
        p99("stock_price_p99_ms", at_stock, "sockets that watch the stock"),
        p99("update_p99_ms", answered_ms, "from updateConcert sent to its answer"),
        Metric("frames", frames, "frames received in the meantime, including those for movement in the queue", frames),
        median("price_cpu_ms", used_ms, "server CPU until all sockets have a new price"),
    ]


def main(words: Sequence[str]) -> int:
    parser = argparse.ArgumentParser("python -m bench.prices", description=__doc__)
    parser.add_argument("--sockets", type=int, default=FULL.queue_sockets + FULL.stock_sockets)
    options = parser.parse_args(words)
    # The processes that open the sockets inherit this limit.
    raise_open_file_limit()
    configure_gc()
    began, load = time.monotonic(), os.getloadavg()[0]
    plan = replace(FULL, queue_sockets=options.sockets - FULL.stock_sockets)
    try:
        metrics = run_program(measure(plan))
    except (NotMeasured, ServerStartError) as reason:
        write_status(f"Prices could not be measured: {reason}\n")
        return 2
    except TimeoutError:
        write_status(f"Prices could not be measured within {TIME_LIMIT_S:.0f} s; everything was stopped.\n")
        return 2
    except KeyboardInterrupt:
        write_status("\nThe measurement was interrupted; everything was stopped.\n")
        return 130
    duration = f"The machine's load was {load:.1f} at the start. The run took {time.monotonic() - began:.0f} s.\n"
    sys.stdout.write(f"{table(metrics)}\n{duration}")
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(as_json(metrics, {}) | {"load_before": load}, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
