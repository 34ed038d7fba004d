"""The numbers computed for an entry equal those in the snapshot that is built for the person."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.estimates.wait_estimates import NO_ESTIMATE, WaitEstimate, WaitTable
from domain.ids import EntryId, PersonId
from domain.queue_positions import QueuePositions
from domain.queues import EntryState, QueueingMethod
from domain.stock import StockAhead
from domain.topics import NO_NUMBERS, EntryNumbers
from storage.hot.queues import EntryRecord
from tests.support.fake_queue import FakeQueue
from tests.support.shared_snapshots import shared_snapshot
from tests.support.snapshots import NOW, STOCK

TABLE = WaitTable((2.0, 8.0, 20.0), (3.0, 50.5, 120.25), (9.0, 80.0, 300.0), WaitEstimate(600, 900))
RECORD = EntryRecord(PersonId("p7"), EntryId(7), 7, EntryState.WAITING, NOW, None, NOW, None, None, None, 1)


@st.composite
def queues(draw: st.DrawFn) -> QueuePositions:
    serving, tail = sorted(draw(st.tuples(st.integers(0, 60), st.integers(0, 120))))
    return QueuePositions(serving, tail, draw(st.binary(max_size=(tail - serving) // 8 + 1)))


@given(queues(), st.sampled_from([NO_ESTIMATE, TABLE, replace(TABLE, beyond=None)]), st.sampled_from(QueueingMethod))
def test_numbers_equal_those_of_the_built_snapshot(
    queue: QueuePositions, table: WaitTable, method: QueueingMethod
) -> None:
    shared = shared_snapshot(queue, method=method, wait_table=table)
    reader = FakeQueue(people=0)
    for number in range(queue.tail + 2):
        record = replace(RECORD, number=number)
        built = reader.build_queue_snapshot(shared.room_snapshot, record, STOCK, StockAhead.AVAILABLE).entry
        assert built is not None
        wait = (built.estimate.p50_s, built.estimate.p90_s) if built.estimate else (None, None)
        expected = EntryNumbers(built.number, built.position, *wait) if queue.is_waiting(number) else None
        assert shared.numbers_of(record) == expected


@pytest.mark.parametrize(
    ("entry", "numbers"),
    [
        (RECORD, EntryNumbers(7, 7, None, None)),
        (replace(RECORD, number=None), NO_NUMBERS),
        (replace(RECORD, round=2), None),
        (replace(RECORD, number=21), None),
    ],
    ids=["waiting", "before a draw", "another round", "after the tail"],
)
def test_entry_that_is_not_waiting_has_no_numbers(entry: EntryRecord, numbers: EntryNumbers | None) -> None:
    assert shared_snapshot(QueuePositions(0, 20, b"")).numbers_of(entry) == numbers


def test_entry_that_ended_with_its_sale_has_no_numbers() -> None:
    shared = shared_snapshot(QueuePositions(0, 20, b""))
    room = replace(shared.room_snapshot, state=replace(shared.room_snapshot.state, over_id=7))
    assert replace(shared, room_snapshot=room).numbers_of(RECORD) is None
