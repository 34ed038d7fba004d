"""What the transports count: messages per second, open streams, and states that a reader has not taken."""

import pytest

from domain.ids import PersonId
from subscriptions.interfaces import Rendered
from subscriptions.sockets.active_operations import MAX_KEYS, LatestValue
from subscriptions.sockets.close_codes import REASON_BYTES, shortened
from subscriptions.sockets.connection_limits import ConnectionCounter, TooManyConnections
from subscriptions.sockets.limits import Limits
from subscriptions.sockets.token_bucket import TokenBucket


def test_a_pace_allows_a_burst_and_then_so_many_per_second() -> None:
    pace = TokenBucket(2.0, burst=3, now_s=10.0)
    assert [pace.try_take(10.0) for _ in range(4)] == [True, True, True, False]
    assert [pace.try_take(now_s) for now_s in (10.4, 10.5, 10.9, 11.0)] == [False, True, False, True]


def test_a_pause_saves_up_no_more_than_a_burst() -> None:
    pace = TokenBucket(2.0, burst=3, now_s=0.0)
    assert [pace.try_take(1_000.0) for _ in range(4)] == [True, True, True, False]


def test_streams_are_counted_while_they_are_open() -> None:
    capacity = ConnectionCounter(Limits(streams=3, streams_per_address=2))
    with capacity.count_connection("a"), capacity.count_connection("a"):
        with (
            pytest.raises(TooManyConnections, match="Your address has reached its limit"),
            capacity.count_connection("a"),
        ):
            pass
        assert capacity.total == 2
        with (
            capacity.count_connection(None),
            pytest.raises(TooManyConnections, match="full"),
            capacity.count_connection("b"),
        ):
            pass
    assert capacity.total == 0
    with capacity.count_connection("a"):
        assert capacity.total == 1


def test_anonymous_people_and_unknown_addresses_are_nobody_in_particular() -> None:
    capacity = ConnectionCounter(Limits(streams_per_address=1, streams_per_person=1))
    with (
        capacity.count_connection(None),
        capacity.count_connection(None),
        capacity.count_person(None),
        capacity.count_person(None),
    ):
        assert capacity.total == 2


def test_an_address_and_a_person_of_one_name_are_two() -> None:
    capacity = ConnectionCounter(Limits(streams_per_address=1, streams_per_person=1))
    with (
        capacity.count_connection("x"),
        capacity.count_person(PersonId("x")),
        pytest.raises(TooManyConnections),
        capacity.count_person(PersonId("x")),
    ):
        pass


def test_only_the_newest_state_of_each_thing_is_kept() -> None:
    newest = LatestValue()
    for number in range(3):
        newest.put(Rendered(b"a%d" % number, key="a"))
        newest.put(Rendered(b"b%d" % number, key="b"))
    assert [newest.pop(), newest.pop(), newest.pop()] == [b"a2", b"b2", None]


def test_a_subscription_is_over_when_its_last_state_was_taken() -> None:
    newest = LatestValue()
    assert not newest.is_finished
    newest.put(Rendered(b"1"))
    newest.put(Rendered(b"2", is_last=True))
    assert not newest.is_finished
    assert (newest.pop(), newest.is_finished) == (b"2", True)


def test_a_subscription_keeps_so_many_things_and_no_more() -> None:
    newest = LatestValue()
    for number in range(MAX_KEYS):
        newest.put(Rendered(b"", key=number))
    assert not newest.is_full
    newest.put(Rendered(b"", key="one more"))
    assert newest.is_full


@pytest.mark.parametrize("text", ["", "x" * REASON_BYTES, "é" * 61])
def test_a_reason_that_fits_is_sent_as_it_is(text: str) -> None:
    assert shortened(text) == text


@pytest.mark.parametrize("text", ["x" * 124, "é" * 62, "🎫" * 40, "a🎫" * 30])
def test_a_reason_that_does_not_fit_is_cut_between_characters(text: str) -> None:
    cut = shortened(text)
    assert len(cut.encode()) <= REASON_BYTES
    assert text.startswith(cut.removesuffix("…"))
    assert cut.endswith("…")
