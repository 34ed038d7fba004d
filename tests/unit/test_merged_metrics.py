"""The metrics of several processes become one page, whose totals never fall."""

import json

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import Metric

from telemetry.merging import MergedMetrics
from telemetry.snapshots import read_snapshot, take_snapshot
from tests.support.exposed_metrics import read_samples
from web.processes.process_metrics import expose


def make_families(holds: int, sockets: int) -> list[Metric]:
    registry = CollectorRegistry()
    Counter("onsale_holds", "Holds.", ["result"], registry=registry).labels("HOLD").inc(holds)
    Gauge("onsale_sockets", "Sockets.", registry=registry).set(sockets)
    push = Histogram("onsale_push_seconds", "Pushes.", buckets=(1, 2), registry=registry)
    lag = Histogram("onsale_event_loop_lag_seconds", "Lag.", buckets=(1,), registry=registry)
    for _ in range(holds):
        push.observe(1.5)
        lag.observe(0.5)
    Gauge("process_open_fds", "Files.", registry=registry).set(sockets + 7)
    return list(registry.collect())


def merge(
    merged: MergedMetrics, leaving: list[list[Metric]] | None = None, **current: list[Metric]
) -> dict[str, float]:
    return read_samples(expose(merged.merge(current, leaving or [])))


def test_counts_are_summed_and_levels_name_their_process() -> None:
    found = merge(MergedMetrics(), a=make_families(2, 10), b=make_families(3, 20))
    assert found["onsale_holds_totalHOLD"] == 5
    assert (found["onsale_push_seconds_bucket1.0"], found["onsale_push_seconds_bucket2.0"]) == (0, 5)
    assert (found["onsale_push_seconds_count"], found["onsale_push_seconds_sum"]) == (5, 7.5)
    assert (found["onsale_socketsa"], found["onsale_socketsb"]) == (10, 20)
    assert (found["process_open_fdsa"], found["process_open_fdsb"]) == (17, 27)


def test_lag_of_an_event_loop_is_not_diluted_by_idle_ones() -> None:
    found = merge(MergedMetrics(), a=make_families(2, 0), b=make_families(3, 0))
    counts = [value for name, value in found.items() if name.startswith("onsale_event_loop_lag_seconds_count")]
    assert sorted(counts) == [2, 3]


def test_counts_of_ended_processes_stay_in_the_totals() -> None:
    merged = MergedMetrics()
    merged.add_ended(make_families(2, 10))
    merged.add_ended(make_families(4, 10))
    found = merge(merged, a=make_families(1, 5))
    assert found["onsale_holds_totalHOLD"] == 7
    assert found["onsale_push_seconds_count"] == 7
    assert [name for name in found if name.startswith("onsale_sockets")] == ["onsale_socketsa"]
    assert merge(merged)["onsale_holds_totalHOLD"] == 6


def test_process_that_is_being_replaced_adds_its_counts_only() -> None:
    found = merge(MergedMetrics(), [make_families(2, 10)], a=make_families(3, 20))
    assert (found["onsale_holds_totalHOLD"], found["onsale_socketsa"]) == (5, 20)


def test_merging_changes_no_process_and_no_total() -> None:
    merged, families = MergedMetrics(), make_families(2, 1)
    merged.add_ended(families)
    first = merge(merged, a=families)
    assert first == merge(merged, a=families)


def test_snapshot_survives_its_way_through_json() -> None:
    encoded = json.loads(json.dumps(take_snapshot()))
    families = {family.name: family for family in read_snapshot(encoded)}
    assert (families["onsale_sockets"].type, families["onsale_holds"].type) == ("gauge", "counter")
    assert families["onsale_sockets"].documentation == "WebSockets that are open."
    assert "onsale_sockets_opened_total" in read_samples(expose(families.values()))
