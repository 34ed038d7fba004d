"""Shows the metrics of this process in Prometheus format."""

import logging
from collections.abc import Callable, Iterable, Iterator
from itertools import accumulate
from typing import Protocol, TypeVar

from prometheus_client import REGISTRY
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from telemetry import metrics
from telemetry.counters import metrics_left_out
from telemetry.integers import Counts, Gauges, Histograms, Level

log = logging.getLogger(__name__)


class Named(Protocol):
    @property
    def name(self) -> str: ...


N = TypeVar("N", bound=Named)


class MetricCollector(Collector):
    """A metric that cannot be shown is left out: the others are still needed. It is counted, and
    logged once.
    """

    def __init__(self) -> None:
        self._logged = set[str]()

    def collect(self) -> Iterator[Metric]:
        yield from self._show(_counter, metrics.COUNTS)
        yield from self._show(_histogram, metrics.HISTOGRAMS)
        yield from self._show(_gauge, metrics.GAUGES)
        yield from self._show(_level, metrics.LEVELS)

    def _show(self, show: Callable[[N], Metric], measures: Iterable[N]) -> Iterator[Metric]:
        for measure in measures:
            try:
                yield show(measure)
            except Exception:
                metrics_left_out.labels(measure.name).inc()
                if measure.name not in self._logged:
                    self._logged.add(measure.name)
                    log.exception("the metric %s cannot be shown and is left out", measure.name)


def _counter(counts: Counts) -> Metric:
    family = CounterMetricFamily(counts.name, counts.description, labels=counts.labels)
    for labels, count in list(counts.values.items()):
        family.add_metric(labels, count)
    return family


def _gauge(gauges: Gauges) -> Metric:
    family = GaugeMetricFamily(gauges.name, gauges.description, labels=gauges.labels)
    for labels, value in list(gauges.values.items()):
        family.add_metric(labels, float(value))
    return family


def _level(level: Level) -> Metric:
    return GaugeMetricFamily(level.name, level.description, float(level.read()))


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
