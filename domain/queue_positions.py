"""A queue at one version, and the exact position of any number in it. A position costs one lookup,
regardless of the length of the queue.

`departed` is a bit string indexed by number, most significant bit first as in Redis; the bit of a
number is set if its entry left, ended or was skipped before it was called. The bits are counted
once per snapshot, as prefix sums over the bytes.
"""

from dataclasses import dataclass, field
from itertools import accumulate

_ONES = bytes(value.bit_count() for value in range(256))
_UP_TO = tuple(0xFF00 >> count & 0xFF for count in range(9))
"""Masks for the first 0 to 8 bits of a byte."""


@dataclass(frozen=True, slots=True)
class QueuePositions:
    serving_number: int
    """The highest number called or skipped."""
    tail: int
    """The highest number assigned."""
    departed: bytes
    """Starts at the byte that contains the serving number; missing bytes at the end count as zeros.
    """
    _before: tuple[int, ...] = field(init=False, repr=False, compare=False)
    _origin: int = field(init=False, repr=False, compare=False)
    """The serving number, minus the set bits up to it that `_before` counts."""

    def __post_init__(self) -> None:
        sums = accumulate(self.departed.translate(_ONES), initial=0)
        object.__setattr__(self, "_before", tuple(sums))
        object.__setattr__(self, "_origin", self.serving_number - self._departed_before(self.serving_number + 1))

    @property
    def waiting_count(self) -> int:
        return self.tail - self._origin - self._departed_before(self.tail + 1)

    def is_waiting(self, number: int) -> bool:
        """Return whether a number is assigned, not called and not departed."""
        return self.waiting_position(number) is not None

    def waiting_position(self, number: int) -> int | None:
        """Return the position of a number that is waiting, and None for any other number."""
        if not self.serving_number < number <= self.tail:
            return None
        index = (number >> 3) - (self.serving_number >> 3)
        if index >= len(self.departed):
            return number - self._origin - self._before[-1]
        position, byte = number - self._origin - self._before[index], self.departed[index]
        if not byte:
            return position
        bit = number & 7
        return None if byte & 0x80 >> bit else position - (byte & _UP_TO[bit]).bit_count()

    def position(self, number: int) -> int:
        """Return the number of people waiting ahead of `number`, plus one.

        Returns 0 for a called number.
        """
        if number <= self.serving_number:
            return 0
        return number - self._origin - self._departed_before(number)

    def _departed_before(self, number: int) -> int:
        index, bit = divmod(number, 8)
        index -= self.serving_number // 8
        if index >= len(self.departed):
            return self._before[-1]
        return self._before[index] + (self.departed[index] & _UP_TO[bit]).bit_count()
