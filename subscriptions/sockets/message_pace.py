"""Limits how fast the messages of one socket are read: a burst at full speed, then slowly.

A flood of messages closes the socket.
"""

from domain.limits.token_bucket import TokenBucket
from subscriptions.sockets.limits import Limits

CAUGHT_UP_S = 0.0002
"""If a message took longer than this to arrive, it was not waiting, so the client is not ahead."""
CAUGHT_UP_MESSAGES = 10
"""The number of slowed messages that a message cancels if it was not waiting.

Even a flood contains a few such messages, because the network delivers it in pieces. About half of
the messages are of this kind if the client stays below the slow rate.
"""


class Flood(Exception):
    """Raised if the client keeps sending messages faster than they are read."""


class MessagePace:
    __slots__ = ("_bucket", "_limits", "_slowed", "_slowed_from_s")

    def __init__(self, limits: Limits, *, now_s: float) -> None:
        self._limits = limits
        self._bucket = TokenBucket(limits.messages_per_s, burst=limits.messages_burst, now_s=now_s)
        self._slowed = 0
        self._slowed_from_s = now_s

    def count(self, now_s: float, *, waited_s: float) -> float:
        """Count a message that took `waited_s` to arrive, and return when to read the next one.

        Raises Flood. If the server itself is slow, the returned time is already in the past.
        """
        if waited_s > CAUGHT_UP_S:
            canceled = min(self._slowed, CAUGHT_UP_MESSAGES)
            self._slowed -= canceled
            self._slowed_from_s += canceled / self._limits.messages_slowed_per_s
        if self._bucket.try_take(now_s):
            return now_s
        if self._slowed == 0:
            self._slowed_from_s = now_s
        self._slowed += 1
        slowed_for_s = self._slowed / self._limits.messages_slowed_per_s
        if slowed_for_s > self._limits.slowed_s:
            raise Flood
        return self._slowed_from_s + slowed_for_s
