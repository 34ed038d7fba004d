"""Deadlines of a connection: for connection_init, for pongs, and for its token."""

from subscriptions.sockets.deadlines import NEVER, Deadlines, Due
from subscriptions.sockets.limits import Limits

LIMITS = Limits(init_wait_s=3, ping_after_s=20, pong_wait_s=10)


def acknowledged(*, expires_in_s: float = NEVER) -> Deadlines:
    deadlines = Deadlines(LIMITS, 100.0)
    deadlines.record_message(101.0)
    deadlines.acknowledge(101.0, expires_in_s=expires_in_s)
    return deadlines


def test_other_messages_do_not_extend_the_wait_for_init() -> None:
    deadlines = Deadlines(LIMITS, 100.0)
    deadlines.record_message(102.0)
    assert (deadlines.next_s, deadlines.due(103.0)) == (103.0, Due.INIT)


def test_silent_connection_is_pinged_and_then_closed() -> None:
    deadlines = acknowledged()
    assert (deadlines.next_s, deadlines.due(121.0)) == (121.0, Due.PING)
    assert (deadlines.next_s, deadlines.due(131.0)) == (131.0, Due.GIVE_UP)


def test_any_message_delays_the_next_ping() -> None:
    deadlines = acknowledged()
    deadlines.record_message(120.0)
    assert (deadlines.next_s, deadlines.due(140.0)) == (140.0, Due.PING)
    deadlines.record_message(149.0)
    assert (deadlines.next_s, deadlines.due(169.0)) == (169.0, Due.PING)


def test_expiry_of_the_token_takes_precedence_over_other_deadlines() -> None:
    assert (acknowledged(expires_in_s=5).next_s, acknowledged(expires_in_s=5).due(106.0)) == (106.0, Due.EXPIRY)
    deadlines = acknowledged(expires_in_s=25)
    assert deadlines.due(121.0) is Due.PING
    assert (deadlines.next_s, deadlines.due(126.0)) == (126.0, Due.EXPIRY)
