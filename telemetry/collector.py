"""Shows the metrics of this process in Prometheus format."""

from collections.abc import Iterator
from itertools import accumulate

from prometheus_client import REGISTRY
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from telemetry import metrics
from telemetry.integers import Counts, Histograms


class MetricCollector(Collector):
    def collect(self) -> Iterator[Metric]:
        yield from map(_counter, metrics.COUNTS)
        yield from map(_histogram, metrics.HISTOGRAMS)
        for level in metrics.LEVELS:
            yield GaugeMetricFamily(level.name, level.description, level.read())


def _counter(counts: Counts) -> Metric:
    family = CounterMetricFamily(counts.name, counts.description, labels=counts.labels)
    for labels, count in list(counts.values.items()):
        family.add_metric(labels, count)
    return family


def _histogram(histograms: Histograms) -> Metric:
    family = HistogramMetricFamily(histograms.name, histograms.description, labels=histograms.labels)
    for labels, histogram in list(histograms.values.items()):
        bounds = [*map(str, map(float, histogram.bounds)), "+Inf"]
        # Below 0, the sum could fall, which is not allowed.
        total = histogram.sum if histogram.bounds[0] >= 0 else None
        family.add_metric(labels, list(zip(bounds, accumulate(list(histogram.counts)), strict=True)), total)
    return family


PROCESS_REGISTRY = REGISTRY
"""What a process shows about itself: its metrics, its counters, and its use of the machine."""
PROCESS_REGISTRY.register(MetricCollector())
