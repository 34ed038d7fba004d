"""Positions computed from one snapshot of the queue equal those counted one by one."""

from hypothesis import given
from hypothesis import strategies as st

from domain.queue_positions import QueuePositions


def bits(numbers: set[int]) -> bytes:
    """Return the bitmap as Redis stores it: bit n is in byte n // 8, most significant bit first."""
    made = bytearray(max(numbers, default=-1) // 8 + 1)
    for number in numbers:
        made[number // 8] |= 0x80 >> number % 8
    return bytes(made)


@st.composite
def queues(draw: st.DrawFn) -> tuple[QueuePositions, set[int]]:
    tail = draw(st.integers(0, 200))
    serving = draw(st.integers(0, tail))
    departed = draw(st.sets(st.integers(1, max(tail, 1)))) if tail else set()
    return QueuePositions(serving, tail, bits(departed)[serving // 8 :]), departed


@given(queues())
def test_positions_are_exact(made: tuple[QueuePositions, set[int]]) -> None:
    queue, departed = made
    waiting = [n for n in range(queue.serving_number + 1, queue.tail + 1) if n not in departed]
    assert queue.waiting_count == len(waiting)
    for position, number in enumerate(waiting, start=1):
        assert queue.position(number) == position
    assert [number for number in range(queue.tail + 2) if queue.is_waiting(number)] == waiting


def test_called_number_has_position_zero() -> None:
    queue = QueuePositions(5, 9, b"")
    assert [queue.position(number) for number in (1, 5, 6, 9)] == [0, 0, 1, 4]
    assert queue.waiting_count == 4


def test_position_in_a_long_queue_is_exact() -> None:
    queue = QueuePositions(1_000, 100_000, b"\x55" * 12_400)
    assert queue.position(100_000) == 99_000 - sum(n % 2 for n in range(1_001, 100_000) if n < 1_000 + 12_400 * 8)
