"""Bands and prospects: what is told of a number without a look at its person is what a look would tell."""

import inspect
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.estimates.room_flow import RoomFlow
from domain.estimates.sold_out_forecast import forecast_stock_ahead
from domain.estimates.wait_estimates import NO_ESTIMATE
from domain.queue_positions import QueuePositions
from domain.queues import EntryState, QueueingMethod, RoomStatus
from domain.stock import Stock, StockAhead
from settings import Settings, SettingsError
from storage.hot.queue_state import QueueState
from subscriptions.hub import Hub
from subscriptions.interfaces import RoomSnapshot
from subscriptions.publishing import push_intervals as bands_module
from subscriptions.publishing.concert_publisher import ConcertPublisher
from subscriptions.publishing.push_intervals import PushIntervals
from subscriptions.publishing.shared_snapshot import CALLED_INTERVAL_S, OUTSIDE_INTERVAL_S, Membership, SharedSnapshot
from tests.support.snapshots import ROOM, STOCK, entry
from web.graphql_service import open_graphql_service

PUSH_INTERVALS = PushIntervals(((3, 0.0), (8, 2.0)), 10.0)
BUSY = RoomFlow(
    now_s=1_000.0, opened_s=0.0, joined=400, called=200, claimed=200, completed=100, called_lately=(2,) * 31
)


@st.composite
def lines(draw: st.DrawFn) -> QueuePositions:
    serving, tail = sorted(draw(st.tuples(st.integers(0, 60), st.integers(0, 120))))
    departed = draw(st.binary(max_size=(tail - serving) // 8 + 1))
    return QueuePositions(serving, tail, departed)


def snapshot(
    line: QueuePositions, stock: Stock, flow: RoomFlow, *, method: QueueingMethod = QueueingMethod.FIFO
) -> SharedSnapshot:
    room = replace(
        ROOM,
        settings=replace(ROOM.settings, queueing_method=method),
        serving_number=line.serving_number,
        tail=line.tail,
        waiting_count=line.waiting_count,
        flow=flow,
    )
    state = QueueState(
        epoch=1,
        version=9,
        concert_version=1,
        round=1,
        positions=line,
        slots_taken=room.slots_taken,
        passes_issued=0,
        status=RoomStatus.OPEN,
        is_opened=True,
        grace_until_ms=0,
        flow=flow,
    )
    return SharedSnapshot.build(RoomSnapshot(room, state, NO_ESTIMATE), stock, PUSH_INTERVALS)


def left(available: int) -> Stock:
    (tier,) = STOCK.tiers
    return replace(STOCK, tiers=(replace(tier, capacity=tier.held + tier.sold + available),))


@given(lines())
def test_a_number_is_in_the_band_of_its_position(line: QueuePositions) -> None:
    reach = PUSH_INTERVALS.by_number(line)
    for number in range(line.serving_number + 1, line.tail + 1):
        position = line.position(number)
        assert reach.interval_s(number) == (0.0 if position <= 3 else 2.0 if position <= 8 else 10.0), (
            number,
            position,
        )


@given(lines(), st.integers(0, 300), st.sampled_from([BUSY, RoomFlow(now_s=0.0)]))
def test_what_will_be_left_for_a_number_is_what_its_forecast_says(
    line: QueuePositions, available: int, flow: RoomFlow
) -> None:
    shown = snapshot(line, left(available), flow)
    room = shown.room_snapshot.room
    for number in range(line.serving_number + 1, line.tail + 1):
        mine = replace(entry(EntryState.WAITING), number=number, position=line.position(number))
        forecast = forecast_stock_ahead(shown.stock, room.people_ahead(mine), flow)
        assert shown.is_sold_out(Membership.IN_QUEUE, number) is (forecast is StockAhead.SOLD_OUT), number
    for stand, somebody in (
        (Membership.IN_QUEUE, replace(entry(EntryState.PREQUEUED), number=None, position=None)),
        (Membership.CALLED, entry(EntryState.READY)),
        (Membership.OUTSIDE, None),
    ):
        forecast = forecast_stock_ahead(shown.stock, room.people_ahead(somebody), flow)
        assert shown.is_sold_out(stand, None) is (forecast is StockAhead.SOLD_OUT), stand


def test_a_forecast_divides_a_line() -> None:
    """Of 100 tickets for a line that buys one in two: something is left for those in front."""
    shown = snapshot(QueuePositions(200, 900, b""), left(100), BUSY)
    told = [shown.is_sold_out(Membership.IN_QUEUE, number) for number in range(201, 901)]
    assert told == sorted(told)
    assert (told[0], told[-1]) == (False, True)


def test_who_has_no_number_that_counts_is_in_no_band() -> None:
    line = QueuePositions(0, 5, b"")
    for stand, number, behind_s in (
        (Membership.IN_QUEUE, None, 10.0),
        (Membership.CALLED, 3, CALLED_INTERVAL_S),
        (Membership.OUTSIDE, None, OUTSIDE_INTERVAL_S),
    ):
        assert snapshot(line, STOCK, BUSY).interval_s(stand, number) == behind_s
    assert snapshot(line, STOCK, BUSY, method=QueueingMethod.RANDOM).interval_s(Membership.IN_QUEUE, 1) == 10.0


def test_settings_hold_the_parsed_push_intervals() -> None:
    assert Settings().push_intervals == ((200, 0), (5_000, 2_000), (None, 10_000))
    read = Settings.from_env({"ONSALE_PUSH_INTERVALS": "10:0 20:150 rest:9999"})
    assert read.push_intervals == ((10, 0), (20, 150), (None, 9_999))
    assert Settings.from_env({"ONSALE_PUSH_INTERVALS": "rest:0"}).push_intervals == ((None, 0),)


def test_bands_are_the_push_intervals_in_seconds() -> None:
    assert PushIntervals.from_pairs(((10, 0), (20, 150), (None, 9_999))) == PushIntervals(
        ((10, 0.0), (20, 0.15)), 9.999
    )
    assert PushIntervals.from_pairs(((None, 0),)) == PushIntervals((), 0.0)


@pytest.mark.parametrize("takes_bands", [Hub, ConcertPublisher, open_graphql_service], ids=lambda taker: taker.__name__)
def test_push_intervals_have_one_default_in_settings(takes_bands: Callable[..., object]) -> None:
    assert inspect.signature(takes_bands).parameters["push_intervals"].default is inspect.Parameter.empty
    assert [name for name, value in vars(bands_module).items() if isinstance(value, PushIntervals)] == []


def test_the_old_name_of_push_intervals_is_refused_among_other_problems() -> None:
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
