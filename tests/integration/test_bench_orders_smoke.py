"""`make bench-orders` with a few buyers: every part completes and measures what it should."""

from bench.orders.__main__ import SMOKE, measure


async def test_orders_are_paid_and_every_limit_is_measured() -> None:
    metrics = {metric.name: metric for metric in await measure(SMOKE)}
    assert metrics["orders_per_s"].n >= SMOKE.at_once
    assert metrics["webhook_p99_ms"].n == SMOKE.webhooks
    assert metrics["fulfilled_p99_ms"].n == SMOKE.fulfilled
    # An order and its payment take four writes. Effects add up to six, including effects of earlier
    # orders, and the worker's heartbeats add one per second.
    assert 4 <= metrics["majority_writes_per_order"].value < 12
    assert all(metric.value > 0 for name, metric in metrics.items() if not name.endswith("_cpu_ms"))
