"""Merges the metrics of all processes of a machine.

Counts and histograms are summed, also over processes that have ended, so a total never falls. What
describes one process has the label `process`: levels such as open sockets, the lag of its event
loop, and its use of the machine (`process_…`, `python_…`).
"""

from collections.abc import Iterable, Mapping

from prometheus_client.core import Metric
from prometheus_client.samples import Sample

from telemetry.metrics import loop_lag_seconds

_SUMMED = ("counter", "histogram")
_OF_ONE_PROCESS = ("process_", "python_", loop_lag_seconds.name)
_Key = tuple[str, tuple[tuple[str, str], ...]]
"""The name of a sample and its labels."""


class MergedMetrics:
    """The totals of processes that have ended, to which the metrics of the others are added."""

    def __init__(self) -> None:
        self._ended: dict[str, Metric] = {}

    def add_ended(self, families: Iterable[Metric]) -> None:
        """Keep the last counts of a process that has ended."""
        for family in families:
            if is_summed(family):
                self._ended[family.name] = _sum([*self._find_ended(family.name), family])

    def merge(self, current: Mapping[str, Iterable[Metric]], leaving: Iterable[Iterable[Metric]] = ()) -> list[Metric]:
        """Return the families of all processes.

        `current` has the families by the name of the process. Of `leaving`, the processes that are
        being replaced, only the counts are shown, because their successors have the same names.
        """
        parts: dict[str, list[Metric]] = {name: [family] for name, family in self._ended.items()}
        for families in leaving:
            for family in filter(is_summed, families):
                parts.setdefault(family.name, []).append(family)
        for process, families in current.items():
            for family in families:
                part = family if is_summed(family) else _label(family, process)
                parts.setdefault(family.name, []).append(part)
        return [_sum(same) for same in parts.values()]

    def _find_ended(self, name: str) -> list[Metric]:
        return [self._ended[name]] if name in self._ended else []


def is_summed(family: Metric) -> bool:
    return family.type in _SUMMED and not family.name.startswith(_OF_ONE_PROCESS)


def _label(family: Metric, process: str) -> Metric:
    labeled = Metric(family.name, family.documentation, family.type)
    labeled.samples = [
        Sample(sample.name, {**sample.labels, "process": process}, sample.value) for sample in family.samples
    ]
    return labeled


def _sum(families: list[Metric]) -> Metric:
    """Return one family with the sum of the samples that have the same name and labels."""
    values: dict[_Key, float] = {}
    for family in families:
        for sample in family.samples:
            key = sample.name, tuple(sorted(sample.labels.items()))
            values[key] = values.get(key, 0) + sample.value
    merged = Metric(families[0].name, families[0].documentation, families[0].type)
    merged.samples = [Sample(name, dict(labels), value) for (name, labels), value in values.items()]
    return merged
