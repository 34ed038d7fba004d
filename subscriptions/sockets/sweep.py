"""Checks the deadlines of all sockets twice a second, instead of a timer for each socket.

A pass compares one number per socket, in slices, so that other tasks can run in between. The timer
runs only while sockets are open.
"""

import asyncio
import logging
from typing import Protocol

from subscriptions.sockets.limits import Limits

logger = logging.getLogger(__name__)

MAX_INTERVAL_S = 0.5
"""The longest time after a deadline until it is noticed."""
PASSES_PER_WAIT = 4
"""The number of passes within the shortest wait, if that is short."""
CHECKS_PER_SLICE = 1_000
DUE_PER_SLICE = 50
"""The number of sockets that are pinged or closed before other tasks can run."""


class HasDeadline(Protocol):
    due_s: float
    """A time, by the event loop's clock, before which no deadline passes."""

    def on_due(self, now_s: float) -> None:
        """Handle the deadlines that have passed, and set `due_s`."""


class Sweep:
    def __init__(self, interval_s: float) -> None:
        self._interval_s = interval_s
        self._members: set[HasDeadline] = set()
        self._unchecked: list[HasDeadline] = []
        self._timer: asyncio.Handle | None = None

    def add(self, member: HasDeadline) -> None:
        self._members.add(member)
        if self._timer is None:
            self._schedule()

    def discard(self, member: HasDeadline) -> None:
        """Forget the member, whose `due_s` must be infinite from now on."""
        self._members.discard(member)
        if not self._members and self._timer is not None:
            self._timer.cancel()
            self._timer = None
            self._unchecked = []

    def _schedule(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(self._interval_s, self._begin)

    def _begin(self) -> None:
        self._unchecked = list(self._members)
        self._check()

    def _check(self) -> None:
        """Check a slice of the members, and continue in the next turn of the event loop."""
        loop = asyncio.get_running_loop()
        now_s, due = loop.time(), 0
        self._timer = None
        members = self._unchecked
        for _ in range(min(CHECKS_PER_SLICE, len(members))):
            member = members.pop()
            if member.due_s <= now_s:
                _handle_due(member, now_s)
                due += 1
                if due == DUE_PER_SLICE:
                    break
        if not self._members:
            # Some members may have closed before they were checked.
            self._unchecked = []
        elif self._timer is not None:
            return
        elif members:
            self._timer = loop.call_soon(self._check)
        else:
            self._schedule()


def _handle_due(member: HasDeadline, now_s: float) -> None:
    try:
        member.on_due(now_s)
    except Exception:
        logger.exception("a deadline cannot be handled")


def sweep_for(limits: Limits) -> Sweep:
    """Return a sweep that runs often enough for the shortest of these limits."""
    waits_s = (
        limits.init_wait_s,
        limits.ping_after_s,
        limits.pong_wait_s,
        limits.probe_wait_s,
        limits.drain_wait_s,
    )
    return Sweep(min(MAX_INTERVAL_S, min(waits_s) / PASSES_PER_WAIT))
