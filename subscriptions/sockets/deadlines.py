"""The deadlines of one socket: for its first message, its next message or pong, and a new token."""

from dataclasses import dataclass
from enum import Enum, auto

from subscriptions.sockets.limits import Limits

NEVER = float("inf")


class Due(Enum):
    INIT = auto()
    """No connection_init arrived in time."""
    EXPIRY = auto()
    """The token expired."""
    RECHECK = auto()
    """The caller of a session must be checked again."""
    PING = auto()
    """No message arrived for a while, so a ping is due."""
    GIVE_UP = auto()
    """No message arrived after the ping, so the socket must be closed."""
    SILENT = auto()
    """No message arrived after a probe, and another socket needs this one's place."""
    STUCK = auto()
    """The client has not read for a while, so the socket must be closed."""


@dataclass(slots=True)
class Deadlines:
    """The deadlines of one socket. Times are in seconds by the event loop's clock."""

    limits: Limits
    heard_s: float
    """The time of the last message or, before the acknowledgment, when the socket opened."""
    expires_s: float = NEVER
    recheck_s: float = NEVER
    has_init: bool = False
    """Whether connection_init has arrived. Its check may take any time."""
    is_acknowledged: bool = False
    pinged_s: float | None = None
    probed_s: float | None = None
    paused_s: float | None = None
    """When the client stopped reading, if it does not read."""

    def record_message(self, now_s: float) -> None:
        if self.is_acknowledged:
            self.heard_s = now_s
        self.pinged_s = self.probed_s = None

    def probe(self, now_s: float) -> bool:
        """Start waiting for the answer to a probe.

        Returns False before connection_init, whose deadline is short anyway.
        """
        if self.is_acknowledged and self.probed_s is None:
            self.probed_s = now_s
        return self.is_acknowledged

    def acknowledge(self, now_s: float, *, expires_in_s: float) -> None:
        self.is_acknowledged = True
        self.heard_s = now_s
        self.expires_s = now_s + expires_in_s

    @property
    def next_s(self) -> float:
        stuck_s = NEVER if self.paused_s is None else self.paused_s + self.limits.drain_wait_s
        if not self.is_acknowledged:
            return stuck_s if self.has_init else min(stuck_s, self.heard_s + self.limits.init_wait_s)
        silent_s = NEVER if self.probed_s is None else self.probed_s + self.limits.probe_wait_s
        if self.pinged_s is None:
            answer_s = self.heard_s + self.limits.ping_after_s
        else:
            answer_s = self.pinged_s + self.limits.pong_wait_s
        return min(self.expires_s, self.recheck_s, stuck_s, silent_s, answer_s)

    def due(self, now_s: float) -> Due:
        """Return which deadline has passed. Call this only once `next_s` has passed.

        If the result is PING, the wait for the answer starts. If it is RECHECK, the caller must
        set the time of the next recheck.
        """
        if self.paused_s is not None and now_s >= self.paused_s + self.limits.drain_wait_s:
            return Due.STUCK
        if not self.is_acknowledged:
            return Due.INIT
        if now_s >= self.expires_s:
            return Due.EXPIRY
        if now_s >= self.recheck_s:
            self.recheck_s = NEVER
            return Due.RECHECK
        if self.probed_s is not None and now_s >= self.probed_s + self.limits.probe_wait_s:
            return Due.SILENT
        if self.pinged_s is None:
            self.pinged_s = now_s
            return Due.PING
        return Due.GIVE_UP
