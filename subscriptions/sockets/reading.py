"""Decides when the next message of one socket is read."""

import asyncio
from enum import IntFlag
from typing import Protocol

from subscriptions.sockets.deadlines import NEVER
from subscriptions.sockets.limits import Limits
from subscriptions.sockets.message_pace import MessagePace


class PauseReason(IntFlag):
    """The reasons why no message is read."""

    ADMISSION = 1
    """The connection is not counted yet."""
    INIT = 2
    """connection_init is being checked."""
    PACE = 4
    """The client sends too fast."""
    ANSWERS = 8
    """Too many answers are waiting to be sent."""
    OPERATIONS = 16
    """Too many operations that the client has completed are still running."""
    END = 32
    """The socket is closed. This is never removed."""


class Pausable(Protocol):
    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...


class Reading:
    """Pauses a wire while there is a reason to read nothing. It begins paused for ADMISSION."""

    __slots__ = ("_limits", "_pace", "_read_from_s", "_reasons", "_wire")

    def __init__(self, wire: Pausable, limits: Limits) -> None:
        self._wire = wire
        self._limits = limits
        self._reasons = PauseReason.ADMISSION
        self._pace: MessagePace | None = None
        self._read_from_s = -NEVER

    def pause(self, reason: PauseReason) -> None:
        """Read no message until the reason is removed."""
        if not self._reasons:
            self._wire.pause_reading()
        self._reasons |= reason

    def resume(self, reason: PauseReason) -> None:
        """Remove the reason, and read again if there is no other."""
        if reason not in self._reasons:
            return
        self._reasons &= ~reason
        if not self._reasons:
            if self._pace is not None:
                self._read_from_s = asyncio.get_running_loop().time()
            self._wire.resume_reading()

    def stop(self) -> None:
        """Leave the wire alone from now on, because the socket is closed."""
        self._reasons |= PauseReason.END

    def count(self, now_s: float) -> None:
        """Count a message, and read the next one later if the client sends too fast.

        Raises Flood. A client that was silent for long enough may send a whole burst again, so its
        pace is forgotten.
        """
        waited_s = now_s - self._read_from_s
        if self._may_send_burst(waited_s):
            self._pace = None
            return
        if self._pace is None:
            self._pace = MessagePace(self._limits, now_s=self._read_from_s)
            self._pace.count(self._read_from_s, waited_s=NEVER)
        read_again_s = self._pace.count(now_s, waited_s=waited_s)
        if read_again_s > now_s:
            self.pause(PauseReason.PACE)
            asyncio.get_running_loop().call_later(read_again_s - now_s, self.resume, PauseReason.PACE)

    def on_handled(self, now_s: float) -> None:
        """Wait for the next message from now on."""
        self._read_from_s = now_s

    def forget_pace(self, now_s: float) -> None:
        """Forget the pace of a client that may send a whole burst again, to free memory."""
        if self._may_send_burst(now_s - self._read_from_s):
            self._pace = None

    def _may_send_burst(self, waited_s: float) -> bool:
        return waited_s >= self._limits.messages_burst / self._limits.messages_per_s
