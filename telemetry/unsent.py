"""Pushes that have not been sent yet, by their sender, with the time since when they wait.

A sender is a publisher whose concert has changed, or a subscription whose client does not read. One
that disappears is forgotten.
"""

import time
from collections.abc import Callable
from weakref import WeakKeyDictionary


class UnsentPushes:
    """Senders in the order in which their pushes began to wait."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._since_s: WeakKeyDictionary[object, float] = WeakKeyDictionary()

    def began(self, sender: object) -> None:
        """Record that the sender has a push to send, unless it has had one already."""
        if sender not in self._since_s:
            self._since_s[sender] = self._clock()

    def ended(self, sender: object) -> float | None:
        """Record that the sender has sent everything. Return how many seconds that took, or None if
        it had nothing to send.
        """
        since_s = self._since_s.pop(sender, None)
        return None if since_s is None else self._clock() - since_s

    def oldest_s(self) -> float:
        """Return for how many seconds the oldest push has waited, or 0."""
        since_s = next(iter(self._since_s.values()), None)
        return 0.0 if since_s is None else self._clock() - since_s
