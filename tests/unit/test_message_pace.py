"""The pace of messages: first a burst, then at most 200 messages per second for two seconds."""

import pytest

from subscriptions.sockets.limits import Limits
from subscriptions.sockets.message_pace import Flood, MessagePace

LIMITS = Limits()
NO_WAIT = 0.0


def send(pace: MessagePace, *, per_s: float, seconds: float, from_s: float = 0.0) -> float:
    """Return the longest delay, in seconds, of a message from a client that sends at this rate."""
    now_s = from_s
    worst_s = 0.0
    for number in range(int(per_s * seconds)):
        sent_s = from_s + number / per_s
        waited_s = max(sent_s - now_s, NO_WAIT)
        now_s = max(now_s, sent_s)
        worst_s = max(worst_s, now_s - sent_s)
        now_s = pace.count(now_s, waited_s=waited_s)
    return worst_s


@pytest.mark.parametrize("per_s", [15, 45, 150, 195])
def test_messages_from_a_busy_page_are_read_without_delay(per_s: float) -> None:
    assert send(MessagePace(LIMITS, now_s=0), per_s=per_s, seconds=60) < 0.01


def test_flood_is_slowed_for_two_seconds_and_then_refused() -> None:
    pace = MessagePace(LIMITS, now_s=0)
    assert send(pace, per_s=1_000, seconds=0.5) <= 2
    with pytest.raises(Flood):
        send(pace, per_s=1_000, seconds=1, from_s=2)


def test_client_may_send_a_burst_every_six_seconds() -> None:
    pace = MessagePace(LIMITS, now_s=0)
    for second in range(0, 60, 6):
        assert send(pace, per_s=1_000, seconds=0.3, from_s=second) <= 2


def test_slow_server_is_not_blamed_on_the_client() -> None:
    """The server reads only two messages per second, so it never pauses."""
    pace = MessagePace(Limits(messages_burst=1, messages_per_s=0.001), now_s=0)
    pace.count(0.0, waited_s=NO_WAIT)
    pace.count(0.0, waited_s=NO_WAIT)
    for number in range(1, 100):
        now_s = number * 0.5
        assert pace.count(now_s, waited_s=NO_WAIT) <= now_s


def send_with_gaps(pace: MessagePace, *, messages: int) -> None:
    """Send messages that are waiting to be read, except that every 70th arrives slightly late."""
    now_s = 0.0
    for number in range(messages):
        late_s = 0.0005 if number % 70 == 0 else 0.0
        now_s = pace.count(now_s + late_s, waited_s=late_s or NO_WAIT)


def test_flood_with_short_gaps_is_refused() -> None:
    """The network delivers a flood in pieces, so it has short gaps."""
    with pytest.raises(Flood):
        send_with_gaps(MessagePace(LIMITS, now_s=0), messages=2_000)
