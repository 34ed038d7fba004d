"""Limits of the requests with which organizers send or take files: how many a person makes, in all
processes together, and how many are in progress in this process.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from domain.errors import TemporarilyUnavailable
from domain.ids import PersonId
from domain.limits.rates import Rate
from schema import SystemCode
from storage.hot.rate_limits import CallCounter
from telemetry import counters
from web.http_errors import HttpError


class PersonLimits:
    """`what` names the requests in refusals and metrics: `uploads` or `exports`."""

    def __init__(
        self, what: str, counter: CallCounter, *, rate: Rate | None, at_once: int, per_person: int, retry_after_s: int
    ) -> None:
        self._what = what
        self._counter = counter
        self._rate = rate
        self._at_once = at_once
        self._per_person = per_person
        self._retry_after_s = retry_after_s
        self._running = Counter[PersonId]()

    async def count(self, person_id: PersonId) -> None:
        """Count a request. Raises HttpError if the person made too many."""
        wait_s = 0 if self._rate is None else await self._counter.count(self._what, person_id, self._rate)
        if self._rate is not None and wait_s:
            counters.rate_limited.labels(call=self._what).inc()
            limit = f"{self._rate.count:,} in {self._rate.seconds:,} s per person"
            raise _busy(f"The limit of {self._what} is {limit}; try again in {wait_s} s.", wait_s)

    @contextmanager
    def slot(self, person_id: PersonId) -> Iterator[None]:
        """Count a request while it is in progress. Raises HttpError or TemporarilyUnavailable."""
        if self._running[person_id] >= self._per_person:
            message = (
                f"Your limit of {self._what} at the same time is {self._per_person}; try again after one has ended."
            )
            raise _busy(message, self._retry_after_s)
        if self._running.total() >= self._at_once:
            raise TemporarilyUnavailable(f"Too many {self._what} are in progress", retry_after_s=self._retry_after_s)
        self._running[person_id] += 1
        try:
            yield
        finally:
            self._running[person_id] -= 1
            if not self._running[person_id]:
                del self._running[person_id]


def _busy(message: str, retry_after_s: int) -> HttpError:
    return HttpError(
        429,
        message,
        code=SystemCode.RATE_LIMITED,
        headers={"Retry-After": str(retry_after_s)},
        details={"retryable": True, "retryAfterSeconds": retry_after_s},
    )
