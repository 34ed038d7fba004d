"""Push intervals: the maximum age of a published position.

The age is close to zero at the front of the queue and grows toward the back. Edges are positions;
they are converted to entry numbers once per state of a queue, so that one or two comparisons
suffice for each person.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from domain.queue_positions import QueuePositions


@dataclass(frozen=True, slots=True)
class PushIntervals:
    """Push intervals by position.

    `edges` are ascending pairs of a position and an age in seconds: a person up to that position
    sees a position no older than that age. Beyond the last edge, `rest_s` applies.
    """

    edges: tuple[tuple[int, float], ...]
    rest_s: float

    @classmethod
    def from_pairs(cls, pairs: Sequence[tuple[int | None, int]]) -> "PushIntervals":
        """Build push intervals from pairs of position and milliseconds.

        The last pair has None as its position and applies to the rest.
        """
        *edges, (_, rest_ms) = pairs
        return cls(tuple((up_to, ms / 1000) for up_to, ms in edges if up_to is not None), rest_ms / 1000)

    def by_number(self, positions: QueuePositions) -> "IntervalsByNumber":
        numbers = range(positions.serving_number + 1, positions.tail + 1)
        counts = (bisect_right(numbers, up_to, key=positions.position) for up_to, _ in self.edges)
        return IntervalsByNumber(
            tuple(positions.serving_number + count for count in counts),
            (*(interval_s for _, interval_s in self.edges), self.rest_s),
        )


@dataclass(frozen=True, slots=True)
class IntervalsByNumber:
    """Push intervals for one state of a queue. `intervals_s` has one more item than `numbers`."""

    numbers: tuple[int, ...]
    intervals_s: tuple[float, ...]

    def interval_s(self, number: int) -> float:
        return self.intervals_s[bisect_left(self.numbers, number)]
