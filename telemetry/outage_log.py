"""Logs an outage: one line when it begins, one a minute while it lasts, and one when it is over.

Otherwise, a task that retries many times a second would drown out all other lines.
"""

import logging
import time
from collections.abc import Callable, Hashable

from domain.errors import describe_cause

SUMMARY_EVERY_S = 60.0


class OutageLog:
    """An outage of one resource, as seen by any number of its users.

    It lasts from the first failure until every user that failed has succeeded. A user that has not
    failed again for a minute is considered to have stopped trying.
    """

    def __init__(self, log: logging.Logger, what: str, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._log = log
        self._what = what
        self._clock = clock
        self._failed_s: dict[Hashable, float] = {}
        """The time of each user's last failure, oldest first."""
        self._attempts = 0
        self._began_s = self._logged_s = 0.0

    def failed(self, user: Hashable, error: BaseException | str, *, about: str = "") -> None:
        """Record a failed attempt. Only the first failure of an outage is logged immediately.

        A line names `about`, such as an order, before the cause.
        """
        now_s = self._clock()
        why = about and f"{about}: "
        why += error if isinstance(error, str) else describe_cause(error)
        self._drop_old(now_s)
        if not self._failed_s:
            self._attempts, self._began_s, self._logged_s = 0, now_s, now_s
            self._log.warning("%s failed, trying again: %s", self._what, why)
        elif now_s - self._logged_s >= SUMMARY_EVERY_S:
            self._logged_s = now_s
            args = (self._what, now_s - self._began_s, self._attempts + 1, why)
            self._log.warning("%s has failed for %.0f s, %d attempts: %s", *args)
        self._failed_s.pop(user, None)
        self._failed_s[user] = now_s
        self._attempts += 1

    def succeeded(self, user: Hashable) -> None:
        """Record a success, and log a summary if no other user is still failing."""
        if self._failed_s.pop(user, None) is None:
            return
        now_s = self._clock()
        self._drop_old(now_s)
        if not self._failed_s:
            args = (self._what, now_s - self._began_s, self._attempts)
            self._log.warning("%s works again after %.0f s and %d failed attempts", *args)

    def forget(self, user: Hashable) -> None:
        """Remove a user that will not try again."""
        self._failed_s.pop(user, None)

    def _drop_old(self, now_s: float) -> None:
        while self._failed_s:
            oldest = next(iter(self._failed_s))
            if now_s - self._failed_s[oldest] < SUMMARY_EVERY_S:
                return
            del self._failed_s[oldest]
