"""`make bench-orders` with a few buyers: every part completes and measures what it should."""

from bench.orders.__main__ import SMOKE, measure


async def test_orders_are_paid_and_every_limit_is_measured() -> None:
    metrics = {metric.name: metric for metric in await measure(SMOKE)}
    assert metrics["orders_per_s"].n >= SMOKE.at_once
    assert metrics["webhook_p99_ms"].n == SMOKE.webhooks
    # The worker's heartbeats, one per second, are majority writes too.
    assert 4 <= metrics["majority_writes_per_order"].value < 6
    assert all(metric.value > 0 for name, metric in metrics.items() if not name.endswith("_cpu_ms"))
