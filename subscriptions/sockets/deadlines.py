"""What a socket waits for, and until when: the first message, the next sign of life, the end of the token."""

from dataclasses import dataclass
from enum import Enum, auto

from subscriptions.sockets.limits import Limits

NEVER = float("inf")


class Due(Enum):
    INIT = auto()
    """No connection_init came."""
    EXPIRY = auto()
    """The token ended."""
    PING = auto()
    """Nothing was heard for a while: ask."""
    GIVE_UP = auto()
    """Nothing was heard after asking."""


@dataclass(slots=True)
class Deadlines:
    """Times are those of the loop's clock, in seconds."""

    limits: Limits
    heard_s: float
    """When it was opened, then of the last message."""
    expires_s: float = NEVER
    is_acknowledged: bool = False
    pinged_s: float | None = None

    def record_message(self, now_s: float) -> None:
        if self.is_acknowledged:
            self.heard_s = now_s
        self.pinged_s = None

    def acknowledge(self, now_s: float, *, expires_in_s: float) -> None:
        self.is_acknowledged = True
        self.heard_s = now_s
        self.expires_s = now_s + expires_in_s

    @property
    def next_s(self) -> float:
        if not self.is_acknowledged:
            return self.heard_s + self.limits.init_wait_s
        if self.pinged_s is None:
            return min(self.expires_s, self.heard_s + self.limits.ping_after_s)
        return min(self.expires_s, self.pinged_s + self.limits.pong_wait_s)

    def due(self, now_s: float) -> Due:
        """What `next_s` was the time of, when it is past. From PING on, an answer is waited for."""
        if not self.is_acknowledged:
            return Due.INIT
        if now_s >= self.expires_s:
            return Due.EXPIRY
        if self.pinged_s is None:
            self.pinged_s = now_s
            return Due.PING
        return Due.GIVE_UP
