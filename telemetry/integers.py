"""Counts and histograms of a process, kept in plain integers.

They cost a tenth of the counters of prometheus_client, which lock for each change. Only one thread,
that of the event loop, changes them; others may read them at any time.
"""

from bisect import bisect_left
from collections.abc import Callable, Sequence


class Counts:
    """Counts by the values of some labels. The values come from fixed sets, so they are few."""

    __slots__ = ("description", "labels", "name", "values")

    def __init__(self, name: str, description: str, *labels: str) -> None:
        self.name = name
        self.description = description
        self.labels = labels
        self.values: dict[tuple[str, ...], int] = {} if labels else {(): 0}

    def add(self, *values: str) -> None:
        """Count one. There is a value for each label."""
        self.values[values] = self.values.get(values, 0) + 1

    def show(self, *values: str) -> None:
        """Show 0 until something is counted, so that the first count is an increase."""
        self.values.setdefault(values, 0)

    @property
    def total(self) -> int:
        return sum(self.values.values())


class Histogram:
    """How many observed values are at most each bound, and above all bounds."""

    __slots__ = ("bounds", "counts", "sum")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.sum = 0.0

    def observe(self, value: float) -> None:
        self.counts[bisect_left(self.bounds, value)] += 1
        self.sum += value


class Histograms:
    """Histograms with the same bounds, by the values of some labels."""

    __slots__ = ("_bounds", "description", "labels", "name", "values")

    def __init__(self, name: str, description: str, bounds: Sequence[float], *labels: str) -> None:
        self.name = name
        self.description = description
        self.labels = labels
        self._bounds = tuple(bounds)
        self.values: dict[tuple[str, ...], Histogram] = {} if labels else {(): Histogram(self._bounds)}

    def observe(self, value: float, *labels: str) -> None:
        histogram = self.values.get(labels)
        if histogram is None:
            histogram = self.values[labels] = Histogram(self._bounds)
        histogram.observe(value)


class Level:
    """A number that can rise and fall, computed when it is read."""

    __slots__ = ("description", "name", "read")

    def __init__(self, name: str, description: str, read: Callable[[], float]) -> None:
        self.name = name
        self.description = description
        self.read = read
