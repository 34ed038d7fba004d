"""`make bench-queue` with a few people: every part completes and measures what it should."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from pymongo import MongoClient

from bench.clients.servers import DATABASE
from bench.queueing import joins, slots, ticks
from bench.queueing.environment import ENTRY_CHANGED, POSITION_CHANGED, ROOM, run_bench_server
from bench.queueing.in_process_queue import InProcessQueue
from bench.queueing.users import make_users
from storage.connect import Stores
from storage.embedded.supervisor import StoreUrls


@pytest.fixture
def urls(valkey_url: str, mongo_url: str) -> Iterator[StoreUrls]:
    yield StoreUrls(valkey_url, mongo_url)
    with MongoClient[dict[str, object]](mongo_url) as client:
        client.drop_database(DATABASE)


async def test_commands_per_tick_are_counted_by_the_store(stores: Stores, urls: StoreUrls) -> None:
    commands, others = await ticks.measure(
        InProcessQueue.of(stores, urls), (120, 240), seconds=0, document=ENTRY_CHANGED
    )
    metrics = {metric.name: metric for metric in [*commands.values(), *others]}
    assert list(commands) == [120, 240]
    # Each refresh reads a snapshot; many refreshes also read entries, and some renew presence.
    assert all(1 <= metric.value <= 5 and metric.n >= ticks.MIN_REFRESHES for metric in commands.values())
    assert metrics["bytes_per_waiter"].value > metrics["bytes_per_joined_waiter"].value > 100
    assert metrics["bytes_before_consumed"].value > metrics["bytes_per_joined_waiter"].value
    assert metrics["tick_240_p50_ms"].n > 0


async def test_calls_and_freed_slots_reach_real_sockets(urls: StoreUrls, tmp_path: Path) -> None:
    plan = slots.Plan(
        sockets=20,
        calls=3,
        called_at_once=2,
        call_every_s=0.1,
        leave=2,
        buy=2,
        claim_timeout_s=5,
        settled_within_s=120.0,
    )
    async with run_bench_server(tmp_path / "app", urls) as server:
        people = await make_users(server.issuer, server.app.data_dir, 60)
        entered = await joins.measure(server, ROOM, people, at_once=2, seconds=0.0, at_least=20)
        called = await slots.measure(server, people, tmp_path, plan, document=POSITION_CHANGED)
    counted = {metric.name: metric.n for metric in [*entered, *called]}
    assert 20 <= counted["joins_per_s"] <= 21
    assert counted["join_half_load_p99_ms"] == 10
    assert {name: n for name, n in counted.items() if name.startswith(("ready_p99", "refill_"))} == {
        "ready_p99_ms": 6,
        "refill_p99_ms": 2,
        "refill_left_p99_ms": 2,
        "refill_completed_p99_ms": 2,
        "refill_expired_p99_ms": 2,
    }
