"""How much the counts of this process have risen in a block."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from telemetry.integers import Counts


@dataclass
class Risen:
    """The rise of each count that has changed, by its labels."""

    counts: Counts
    before: dict[tuple[str, ...], int] = field(default_factory=dict)

    @property
    def by_labels(self) -> dict[tuple[str, ...], int]:
        risen = {labels: count - self.before.get(labels, 0) for labels, count in self.counts.values.items()}
        return {labels: rise for labels, rise in risen.items() if rise}

    @property
    def total(self) -> int:
        return sum(self.by_labels.values())


@contextmanager
def counted(counts: Counts) -> Iterator[Risen]:
    yield Risen(counts, dict(counts.values))
