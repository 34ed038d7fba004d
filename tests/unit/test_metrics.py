"""The metrics of a process: plain integers, and how Prometheus sees them."""

import asyncio
import gc

from prometheus_client import CollectorRegistry, generate_latest

from telemetry import metrics
from telemetry.collector import MetricCollector
from telemetry.integers import Counts, Histogram, Histograms
from telemetry.loop_lag import EVERY_S, measure_loop_lag
from telemetry.unsent import UnsentPushes
from tests.support.exposed_metrics import read_samples
from tests.support.waiting import wait_until


def read_metrics() -> dict[str, float]:
    registry = CollectorRegistry()
    registry.register(MetricCollector())
    return read_samples(generate_latest(registry))


def test_counts_are_kept_for_each_combination_of_labels() -> None:
    counts = Counts("onsale_example", "An example.", "operation", "result")
    for result in ("ok", "ok", "failed"):
        counts.add("HoldTickets", result)
    assert counts.values == {("HoldTickets", "ok"): 2, ("HoldTickets", "failed"): 1}
    assert counts.total == 3


def test_count_without_labels_begins_with_zero() -> None:
    assert Counts("onsale_example", "An example.").values == {(): 0}


def test_value_at_a_bound_counts_as_at_most_the_bound() -> None:
    histogram = Histogram((1, 2))
    for value in (0.5, 1, 1.5, 2, 3):
        histogram.observe(value)
    assert (histogram.counts, histogram.sum) == ([2, 2, 1], 8)


def test_histograms_of_other_labels_are_separate() -> None:
    histograms = Histograms("onsale_example_seconds", "An example.", (1,), "operation")
    histograms.observe(0.5, "a")
    histograms.observe(2, "b")
    assert {labels: one.counts for labels, one in histograms.values.items()} == {("a",): [1, 0], ("b",): [0, 1]}


def test_prometheus_sees_counters_gauges_and_cumulative_buckets() -> None:
    before = read_metrics()
    metrics.holds.add("EXAMPLE")
    metrics.push_seconds.observe(0.002)
    metrics.push_seconds.observe(100)
    metrics.sockets_opened.add()
    after = read_metrics()

    def rise(name: str) -> float:
        return after[name] - before.get(name, 0.0)

    assert rise("onsale_holds_totalEXAMPLE") == 1
    assert rise("onsale_sockets") == 1
    name = "onsale_push_seconds"
    buckets = [rise(f"{name}_bucket{bound}") for bound in ("0.001", "0.0025", "10.0", "+Inf")]
    assert buckets == [0, 1, 1, 2]
    assert (rise(f"{name}_count"), round(rise(f"{name}_sum"), 3)) == (2, 100.002)
    metrics.sockets_ended.add("EXAMPLE")
    assert read_metrics()["onsale_sockets"] == before["onsale_sockets"]


def test_histogram_with_negative_values_has_no_sum() -> None:
    before = read_metrics()
    metrics.estimate_error_seconds.observe(-7)
    after = read_metrics()
    name = "onsale_wait_estimate_error_seconds"
    assert after[f"{name}_bucket-5.0"] - before[f"{name}_bucket-5.0"] == 1
    assert after[f"{name}_bucket-10.0"] == before[f"{name}_bucket-10.0"]
    assert f"{name}_sum" not in after


class Sender:
    pass


def test_oldest_push_is_that_of_the_first_sender_that_still_waits() -> None:
    now_s = 10.0
    unsent, first, second = UnsentPushes(clock=lambda: now_s), Sender(), Sender()
    assert unsent.oldest_s() == 0
    unsent.began(first)
    now_s = 12.0
    unsent.began(second)
    unsent.began(first)  # it still waits since 10.0
    now_s = 15.0
    assert unsent.oldest_s() == 5
    assert unsent.ended(first) == 5
    assert unsent.oldest_s() == 3
    assert (unsent.ended(second), unsent.ended(second), unsent.oldest_s()) == (3, None, 0)


def test_sender_that_disappears_waits_no_longer() -> None:
    unsent, sender = UnsentPushes(clock=lambda: 1.0), Sender()
    unsent.began(sender)
    del sender
    gc.collect()
    assert unsent.ended(Sender()) is None
    assert unsent.oldest_s() == 0


async def test_loop_lag_is_measured_during_the_block_only() -> None:
    lag = metrics.loop_lag_seconds.values[()]
    before = sum(lag.counts)

    def count() -> int:
        return sum(lag.counts) - before

    with measure_loop_lag():
        await wait_until(lambda: count() >= 2, what="two measurements")
    in_block = count()
    await asyncio.sleep(EVERY_S * 2)
    assert count() == in_block
