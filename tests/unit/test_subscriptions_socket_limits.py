"""Transport limits: messages per second, open connections, and undelivered payloads."""

from collections.abc import Callable

import pytest

from domain.ids import PersonId
from domain.limits.token_bucket import TokenBucket
from subscriptions.interfaces import Rendered
from subscriptions.sockets.active_operations import MAX_KEYS, LatestValue
from subscriptions.sockets.close_codes import REASON_BYTES, shortened
from subscriptions.sockets.connection_limits import ConnectionCounter, TooManyConnections
from subscriptions.sockets.limits import Limits
from telemetry import metrics
from tests.support.counted import counted


def test_token_bucket_allows_a_burst_and_then_its_rate() -> None:
    bucket = TokenBucket(2.0, burst=3, now_s=10.0)
    assert [bucket.try_take(10.0) for _ in range(4)] == [True, True, True, False]
    assert [bucket.try_take(now_s) for now_s in (10.4, 10.5, 10.9, 11.0)] == [False, True, False, True]


def test_token_bucket_saves_at_most_one_burst() -> None:
    bucket = TokenBucket(2.0, burst=3, now_s=0.0)
    assert [bucket.try_take(1_000.0) for _ in range(4)] == [True, True, True, False]


def test_connections_are_counted_while_they_are_open() -> None:
    counter = ConnectionCounter(Limits(streams=3, streams_per_address=2))
    with counter.count_connection("a"), counter.count_connection("a"):
        with (
            pytest.raises(TooManyConnections, match="Your address has reached its limit"),
            counter.count_connection("a"),
        ):
            pass
        assert counter.total == 2
        with (
            counter.count_connection(None),
            pytest.raises(TooManyConnections, match="full"),
            counter.count_connection("b"),
        ):
            pass
    assert counter.total == 0
    with counter.count_connection("a"):
        assert counter.total == 1


def test_anonymous_people_and_unknown_addresses_are_not_limited() -> None:
    counter = ConnectionCounter(Limits(streams_per_address=1, streams_per_person=1))
    with (
        counter.count_connection(None),
        counter.count_connection(None),
        counter.count_person(None),
        counter.count_person(None),
    ):
        assert counter.total == 2


def test_address_and_person_with_the_same_name_are_counted_separately() -> None:
    counter = ConnectionCounter(Limits(streams_per_address=1, streams_per_person=1))
    with (
        counter.count_connection("x"),
        counter.count_person(PersonId("x")),
        pytest.raises(TooManyConnections),
        counter.count_person(PersonId("x")),
    ):
        pass


def test_value_that_replaces_an_unsent_one_counts_as_lagged() -> None:
    latest = LatestValue()
    with counted(metrics.messages_sent) as sent, counted(metrics.messages_lagged) as lagged:
        for key in ("a", "a", "b", "a"):
            latest.put(Rendered(b"", key=key))
        assert (sent.total, lagged.total) == (0, 2)
        while latest.pop() is not None:
            pass
        assert (sent.total, lagged.total) == (2, 2)


@pytest.mark.parametrize("end", [LatestValue.pop, LatestValue.clear])
def test_value_waits_until_it_is_sent_or_dropped(end: Callable[[LatestValue], object]) -> None:
    latest = LatestValue()
    latest.put(Rendered(b""))
    end(latest)
    assert metrics.unsent_pushes.ended(latest) is None
    latest.put(Rendered(b""))
    assert metrics.unsent_pushes.ended(latest) is not None


def test_only_the_latest_value_of_each_key_is_kept() -> None:
    latest = LatestValue()
    for number in range(3):
        latest.put(Rendered(b"a%d" % number, key="a"))
        latest.put(Rendered(b"b%d" % number, key="b"))
    assert [latest.pop(), latest.pop(), latest.pop()] == [b"a2", b"b2", None]


def test_subscription_is_finished_once_its_last_value_is_read() -> None:
    latest = LatestValue()
    assert not latest.is_finished
    latest.put(Rendered(b"1"))
    latest.put(Rendered(b"2", is_last=True))
    assert not latest.is_finished
    assert (latest.pop(), latest.is_finished) == (b"2", True)


def test_subscription_has_a_limited_number_of_keys() -> None:
    latest = LatestValue()
    for number in range(MAX_KEYS):
        latest.put(Rendered(b"", key=number))
    assert not latest.is_full
    latest.put(Rendered(b"", key="one more"))
    assert latest.is_full


@pytest.mark.parametrize("text", ["", "x" * REASON_BYTES, "é" * 61])
def test_close_reason_that_fits_is_unchanged(text: str) -> None:
    assert shortened(text) == text


@pytest.mark.parametrize("text", ["x" * 124, "é" * 62, "🎫" * 40, "a🎫" * 30])
def test_long_close_reason_is_cut_between_characters(text: str) -> None:
    cut = shortened(text)
    assert len(cut.encode()) <= REASON_BYTES
    assert text.startswith(cut.removesuffix("…"))
    assert cut.endswith("…")
