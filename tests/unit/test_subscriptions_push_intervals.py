"""Push intervals and stock forecasts by number equal those by position."""

import inspect
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.estimates.room_flow import RoomFlow
from domain.estimates.sold_out_forecast import forecast_stock_ahead
from domain.queue_positions import QueuePositions
from domain.queues import EntryState, QueueingMethod
from domain.stock import StockAhead
from settings import Settings, SettingsError
from subscriptions.hub import Hub
from subscriptions.publishing import push_intervals as push_intervals_module
from subscriptions.publishing.concert_publisher import ConcertPublisher
from subscriptions.publishing.push_intervals import PushIntervals
from subscriptions.publishing.shared_snapshot import CALLED_INTERVAL_S, OUTSIDE_INTERVAL_S, Membership
from tests.support.shared_snapshots import BUSY, PUSH_INTERVALS, shared_snapshot, stock_left
from tests.support.snapshots import STOCK, entry
from web.graphql_service import open_graphql_service


@st.composite
def queues(draw: st.DrawFn) -> QueuePositions:
    serving, tail = sorted(draw(st.tuples(st.integers(0, 60), st.integers(0, 120))))
    departed = draw(st.binary(max_size=(tail - serving) // 8 + 1))
    return QueuePositions(serving, tail, departed)


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
    shared = shared_snapshot(queue, stock_left(available), flow)
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
    shared = shared_snapshot(QueuePositions(200, 900, b""), stock_left(100), BUSY)
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
        assert shared_snapshot(queue, STOCK, BUSY).interval_s(membership, number) == interval_s
    assert shared_snapshot(queue, STOCK, BUSY, method=QueueingMethod.RANDOM).interval_s(Membership.IN_QUEUE, 1) == 10.0


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
