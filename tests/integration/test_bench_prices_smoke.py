"""`make bench-prices` with a few sockets: each of them receives each new price."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from pymongo import MongoClient

from bench.clients.servers import DATABASE
from bench.prices import SMOKE, measure_on
from bench.queueing.environment import run_bench_server
from storage.embedded.supervisor import StoreUrls


@pytest.fixture
def urls(valkey_url: str, mongo_url: str) -> Iterator[StoreUrls]:
    yield StoreUrls(valkey_url, mongo_url)
    with MongoClient[dict[str, object]](mongo_url) as client:
        client.drop_database(DATABASE)


async def test_each_new_price_reaches_each_socket(urls: StoreUrls, tmp_path: Path) -> None:
    async with run_bench_server(tmp_path / "app", urls) as server:
        metrics = {metric.name: metric for metric in await measure_on(server, tmp_path, SMOKE)}
    assert metrics["queue_price_p99_ms"].n == SMOKE.queue_sockets * SMOKE.changes
    assert metrics["stock_price_p99_ms"].n == SMOKE.stock_sockets * SMOKE.changes
    assert metrics["price_p50_ms"].value > 0
