"""Positions from one snapshot of the line, against counting them one by one."""

from hypothesis import given
from hypothesis import strategies as st

from domain.queue_positions import QueuePositions


def bits(numbers: set[int]) -> bytes:
    """As Redis writes them: bit n is in byte n // 8, the most significant first."""
    made = bytearray(max(numbers, default=-1) // 8 + 1)
    for number in numbers:
        made[number // 8] |= 0x80 >> number % 8
    return bytes(made)


@st.composite
def lines(draw: st.DrawFn) -> tuple[QueuePositions, set[int]]:
    tail = draw(st.integers(0, 200))
    serving = draw(st.integers(0, tail))
    departed = draw(st.sets(st.integers(1, max(tail, 1)))) if tail else set()
    return QueuePositions(serving, tail, bits(departed)[serving // 8 :]), departed


@given(lines())
def test_positions_are_exact(made: tuple[QueuePositions, set[int]]) -> None:
    line, departed = made
    waiting = [n for n in range(line.serving_number + 1, line.tail + 1) if n not in departed]
    assert line.waiting_count == len(waiting)
    for place, number in enumerate(waiting, start=1):
        assert line.position(number) == place
    assert [number for number in range(line.tail + 2) if line.is_waiting(number)] == waiting


def test_who_was_called_has_no_position() -> None:
    line = QueuePositions(5, 9, b"")
    assert [line.position(number) for number in (1, 5, 6, 9)] == [0, 0, 1, 4]
    assert line.waiting_count == 4


def test_a_long_line_is_looked_up_not_counted() -> None:
    line = QueuePositions(1_000, 100_000, b"\x55" * 12_400)
    assert line.position(100_000) == 99_000 - sum(n % 2 for n in range(1_001, 100_000) if n < 1_000 + 12_400 * 8)
