"""Metrics: measured values, each with its number of samples and possibly a limit.

Percentiles use the nearest-rank method, so each is one of the measured values. A metric without
samples is not reported.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.clients.ledger import percentile

WIDTHS = (27, 12, 9, 10, 5)


class NotMeasured(RuntimeError):
    """Raised if a value cannot be measured; the message says what is missing."""


@dataclass(frozen=True, slots=True)
class Metric:
    name: str
    value: float
    what: str
    """How the value was measured, in one line."""
    n: int
    """The number of samples."""
    at_most: float | None = None
    """The limit, if the metric has one."""

    @property
    def verdict(self) -> str:
        if self.at_most is None:
            return ""
        return "ok" if self.value <= self.at_most else "over"


def p99(name: str, samples: Sequence[float], what: str, *, at_most: float | None = None) -> Metric:
    return _percentile(name, samples, 0.99, what, at_most)


def median(name: str, samples: Sequence[float], what: str, *, at_most: float | None = None) -> Metric:
    return _percentile(name, samples, 0.5, what, at_most)


def _percentile(name: str, samples: Sequence[float], share: float, what: str, at_most: float | None) -> Metric:
    if not samples:
        raise NotMeasured(f"{name} has no samples")
    return Metric(name, round(percentile(samples, share), 1), what, len(samples), at_most)


def growth(name: str, by_size: Mapping[int, Metric], what: str, *, at_most: float) -> Metric:
    """Return the largest value divided by the smallest; 1 means no growth."""
    values = [metric.value for metric in by_size.values()]
    if len(values) < 2 or min(values) <= 0:
        raise NotMeasured(f"{name} needs values above 0 at two sizes")
    return Metric(name, round(max(values) / min(values), 2), what, len(values), at_most)


def table(metrics: Iterable[Metric]) -> str:
    rows = [("metric", "value", "n", "at most", "", "what was measured")]
    for metric in metrics:
        limit = "" if metric.at_most is None else f"{metric.at_most:,}"
        rows.append((metric.name, f"{metric.value:,}", f"{metric.n:,}", limit, metric.verdict, metric.what))
    return "\n".join(_row(row) for row in rows)


def _row(row: tuple[str, ...]) -> str:
    name, *numbers, verdict, what = row
    cells = [f"{number:>{width}}" for number, width in zip(numbers, WIDTHS[1:], strict=False)]
    return f"{name:<{WIDTHS[0]}}{''.join(cells)} {verdict:<{WIDTHS[-1]}} {what}".rstrip()


def as_json(metrics: Iterable[Metric], by_size: Mapping[str, Mapping[int, Metric]]) -> dict[str, object]:
    """Return the values of the metrics by name, and their numbers of samples.

    A metric that was measured at several sizes has one value per size.
    """
    values: dict[str, object] = {}
    samples: dict[str, object] = {}
    for name, sizes in by_size.items():
        values[name] = {str(size): metric.value for size, metric in sizes.items()}
        samples[name] = {str(size): metric.n for size, metric in sizes.items()}
    for metric in metrics:
        if metric.name in values:
            raise ValueError(f"two metrics have the name {metric.name}")
        values[metric.name] = metric.value
        samples[metric.name] = metric.n
    return {**values, "samples": samples}


def merge_results(file: Path, results: Mapping[str, Any]) -> None:
    """Write results as JSON, and keep results with other names that the file already has."""
    known: dict[str, Any] = json.loads(file.read_text()) if file.exists() else {}
    samples = {**known.get("samples", {}), **results["samples"]}
    file.parent.mkdir(exist_ok=True)
    file.write_text(json.dumps({**known, **results, "samples": samples}, indent=2) + "\n")
