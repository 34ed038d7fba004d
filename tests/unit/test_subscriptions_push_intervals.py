"""Push intervals and stock forecasts by number equal those by position."""

import inspect
from collections.abc import Callable
from dataclasses import replace
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.estimates.room_flow import RoomFlow
from domain.estimates.sold_out_forecast import forecast_stock_ahead
from domain.estimates.wait_estimates import NO_ESTIMATE
from domain.ids import EntryId, PersonId
from domain.queue_positions import QueuePositions
from domain.queues import EntryState, QueueingMethod, RoomStatus
from domain.stock import Stock, StockAhead
from domain.topics import QueueTopic
from resolvers.wait_tables import build_waiting_room
from settings import Settings, SettingsError
from storage.hot.queue_state import QueueState
from storage.hot.queues import EntryRecord
from subscriptions.hub import Hub
from subscriptions.interfaces import RoomSnapshot
from subscriptions.publishing import push_intervals as push_intervals_module
from subscriptions.publishing.concert_publisher import ConcertPublisher
from subscriptions.publishing.push_intervals import PushIntervals
from subscriptions.publishing.queue_subscriber import QueueSubscriber
from subscriptions.publishing.shared_snapshot import CALLED_INTERVAL_S, OUTSIDE_INTERVAL_S, Membership, SharedSnapshot
from tests.support.snapshots import CONCERT, NOW, ROOM, STOCK, entry, queue_snapshot
from web.graphql_service import open_graphql_service

PUSH_INTERVALS = PushIntervals(((3, 0.0), (8, 2.0)), 10.0)
BUSY = RoomFlow(
    now_s=1_000.0, opened_s=0.0, joined=400, called=200, claimed=200, completed=100, called_lately=(2,) * 31
)


@st.composite
def queues(draw: st.DrawFn) -> QueuePositions:
    serving, tail = sorted(draw(st.tuples(st.integers(0, 60), st.integers(0, 120))))
    departed = draw(st.binary(max_size=(tail - serving) // 8 + 1))
    return QueuePositions(serving, tail, departed)


def snapshot(
    queue: QueuePositions, stock: Stock, flow: RoomFlow, *, method: QueueingMethod = QueueingMethod.FIFO
) -> SharedSnapshot:
    state = QueueState(
        epoch=1,
        version=9,
        concert_version=1,
        round=1,
        positions=queue,
        slots_taken=ROOM.slots_taken,
        passes_issued=ROOM.passes_issued,
        status=RoomStatus.OPEN,
        is_opened=True,
        grace_until_ms=0,
        flow=flow,
    )
    concert = replace(CONCERT, room=replace(CONCERT.room, queueing_method=method))
    room = build_waiting_room(concert, state.room)
    return SharedSnapshot.build(RoomSnapshot(room, state, NO_ESTIMATE), stock, PUSH_INTERVALS)


def left(available: int) -> Stock:
    (tier,) = STOCK.tiers
    return replace(STOCK, tiers=(replace(tier, capacity=tier.held + tier.sold + available),))


@given(queues())
def test_number_has_the_interval_of_its_position(queue: QueuePositions) -> None:
    intervals = PUSH_INTERVALS.by_number(queue)
    for number in range(queue.serving_number + 1, queue.tail + 1):
        position = queue.position(number)
        assert intervals.interval_s(number) == (0.0 if position <= 3 else 2.0 if position <= 8 else 10.0), (
            number,
            position,
        )


@given(queues(), st.integers(0, 300), st.sampled_from([BUSY, RoomFlow(now_s=0.0)]))
def test_sold_out_forecast_by_number_equals_the_one_by_position(
    queue: QueuePositions, available: int, flow: RoomFlow
) -> None:
    shared = snapshot(queue, left(available), flow)
    room = shared.room_snapshot.room
    for number in range(queue.serving_number + 1, queue.tail + 1):
        waiting = replace(entry(EntryState.WAITING), number=number, position=queue.position(number))
        forecast = forecast_stock_ahead(shared.stock, room.people_ahead(waiting), flow)
        assert shared.is_sold_out(Membership.IN_QUEUE, number) is (forecast is StockAhead.SOLD_OUT), number
    for membership, other in (
        (Membership.IN_QUEUE, replace(entry(EntryState.PREQUEUED), number=None, position=None)),
        (Membership.CALLED, entry(EntryState.READY)),
        (Membership.OUTSIDE, None),
    ):
        forecast = forecast_stock_ahead(shared.stock, room.people_ahead(other), flow)
        assert shared.is_sold_out(membership, None) is (forecast is StockAhead.SOLD_OUT), membership


def test_forecast_divides_the_queue_at_one_number() -> None:
    """There are 100 tickets and every other person buys one, so only people in front can buy."""
    shared = snapshot(QueuePositions(200, 900, b""), left(100), BUSY)
    flags = [shared.is_sold_out(Membership.IN_QUEUE, number) for number in range(201, 901)]
    assert flags == sorted(flags)
    assert (flags[0], flags[-1]) == (False, True)


def test_person_whose_number_gives_no_position_has_a_fixed_interval() -> None:
    queue = QueuePositions(0, 5, b"")
    for membership, number, interval_s in (
        (Membership.IN_QUEUE, None, 10.0),
        (Membership.CALLED, 3, CALLED_INTERVAL_S),
        (Membership.OUTSIDE, None, OUTSIDE_INTERVAL_S),
    ):
        assert snapshot(queue, STOCK, BUSY).interval_s(membership, number) == interval_s
    assert snapshot(queue, STOCK, BUSY, method=QueueingMethod.RANDOM).interval_s(Membership.IN_QUEUE, 1) == 10.0


def test_moved_person_is_due_within_their_interval() -> None:
    record = EntryRecord(PersonId("p9"), EntryId(9), 9, EntryState.WAITING, NOW, None, NOW, None, None, None, 1)
    subscriber = QueueSubscriber(QueueTopic(CONCERT.id, record.person_id))
    subscriber.update(record)
    shared = snapshot(QueuePositions(0, 20, b""), STOCK, BUSY)
    assert subscriber.due_s(shared) == -inf
    subscriber.mark_published(shared, queue_snapshot(entry(EntryState.WAITING)), now_s=100.0)
    assert subscriber.due_s(shared) == inf
    moved = replace(shared, version_key=(1, 10))
    assert 105.0 <= subscriber.due_s(moved) <= 109.0
    announced = replace(moved, announcement=("another message",))
    assert subscriber.due_s(announced) == -inf


def test_settings_hold_the_parsed_push_intervals() -> None:
    assert Settings().push_intervals == ((200, 0), (5_000, 2_000), (None, 10_000))
    read = Settings.from_env({"ONSALE_PUSH_INTERVALS": "10:0 20:150 rest:9999"})
    assert read.push_intervals == ((10, 0), (20, 150), (None, 9_999))
    assert Settings.from_env({"ONSALE_PUSH_INTERVALS": "rest:0"}).push_intervals == ((None, 0),)


def test_push_intervals_are_converted_to_seconds() -> None:
    assert PushIntervals.from_pairs(((10, 0), (20, 150), (None, 9_999))) == PushIntervals(
        ((10, 0.0), (20, 0.15)), 9.999
    )
    assert PushIntervals.from_pairs(((None, 0),)) == PushIntervals((), 0.0)


@pytest.mark.parametrize("callee", [Hub, ConcertPublisher, open_graphql_service], ids=lambda callee: callee.__name__)
def test_push_intervals_have_their_only_default_in_settings(callee: Callable[..., object]) -> None:
    assert inspect.signature(callee).parameters["push_intervals"].default is inspect.Parameter.empty
    assert [name for name, value in vars(push_intervals_module).items() if isinstance(value, PushIntervals)] == []


def test_old_name_of_push_intervals_is_reported_with_the_other_problems() -> None:
    with pytest.raises(SettingsError) as refused:
        Settings.from_env({"ONSALE_PUSH_BANDS": "rest:0", "ONSALE_PORT": "0"})
    port, old_name = str(refused.value).splitlines()
    assert port.startswith("ONSALE_PORT is '0'")
    assert old_name == "ONSALE_PUSH_BANDS is now called ONSALE_PUSH_INTERVALS; set that one instead"


@pytest.mark.parametrize(
    "intervals",
    [
        "often",
        "200:0 5000:2000",
        "rest:10001",
        "rest:-1",
        "0:0 rest:10",
        "20:0 10:10 rest:20",
        "10:0 10:10 rest:20",
        "10:30 20:20 rest:40",
        "10:0 rest:10 20:20",
        "10:0  rest:10",
        "10:٣ rest:10",
        "10:0 rest:10\n",
    ],
)
def test_push_intervals_that_do_not_rise_or_are_too_slow_are_refused(intervals: str) -> None:
    with pytest.raises(SettingsError, match="ONSALE_PUSH_INTERVALS is"):
        Settings.from_env({"ONSALE_PUSH_INTERVALS": intervals})
