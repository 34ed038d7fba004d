"""How far behind what somebody sees of their position may be: nothing near the front, more the farther away they stand.

Edges are positions, and become numbers once per state of a line; a person costs one comparison or two.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from domain.queue_positions import QueuePositions


@dataclass(frozen=True, slots=True)
class Bands:
    """`edges` rise: up to this position, at most so many seconds behind; whoever stands behind them, `rest_s`."""

    edges: tuple[tuple[int, float], ...]
    rest_s: float

    @classmethod
    def of(cls, pairs: Sequence[tuple[int | None, int]]) -> "Bands":
        """Of (up to position, milliseconds), the last one for the rest."""
        *edges, (_, rest_ms) = pairs
        return cls(tuple((up_to, ms / 1000) for up_to, ms in edges if up_to is not None), rest_ms / 1000)

    def in_line(self, line: QueuePositions) -> "Reach":
        numbers = range(line.serving_number + 1, line.tail + 1)
        last = (bisect_right(numbers, up_to, key=line.position) for up_to, _ in self.edges)
        return Reach(
            tuple(line.serving_number + count for count in last),
            (*(behind_s for _, behind_s in self.edges), self.rest_s),
        )


@dataclass(frozen=True, slots=True)
class Reach:
    """Bands by number, at one state of a line: `behind_s` has one more than `numbers`."""

    numbers: tuple[int, ...]
    behind_s: tuple[float, ...]

    def of(self, number: int) -> float:
        return self.behind_s[bisect_left(self.numbers, number)]
