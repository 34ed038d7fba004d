"""Counts the open sockets and event streams of this process: all, per address and per person."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from domain.ids import PersonId
from subscriptions.sockets.limits import Limits


class TooManyConnections(Exception):
    """A connection limit was reached.

    `str(error)` names the limit. A retry succeeds once other connections close.
    """


class ConnectionCounter:
    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._total = 0
        self._by_address: Counter[str] = Counter()
        self._by_person: Counter[PersonId] = Counter()

    @property
    def total(self) -> int:
        return self._total

    @contextmanager
    def count_connection(self, address: str | None) -> Iterator[None]:
        """Count one connection while the context is open. Raises TooManyConnections.

        A client without an address, on a Unix socket, counts in the total alone.
        """
        if self._total >= self._limits.streams:
            raise TooManyConnections("This server is full")
        with _counted(self._by_address, address, limit=self._limits.streams_per_address, whose="Your address"):
            self._total += 1
            try:
                yield
            finally:
                self._total -= 1

    @contextmanager
    def count_person(self, person: PersonId | None) -> Iterator[None]:
        """Count one connection of this person while the context is open.

        Raises TooManyConnections.
        """
        with _counted(self._by_person, person, limit=self._limits.streams_per_person, whose="Your account"):
            yield


@contextmanager
def _counted(counter: "Counter[str] | Counter[PersonId]", who: str | None, *, limit: int, whose: str) -> Iterator[None]:
    if who is None:
        yield
        return
    key = PersonId(who)
    if counter[key] >= limit:
        raise TooManyConnections(f"{whose} has reached its limit of open connections ({limit})")
    counter[key] += 1
    try:
        yield
    finally:
        counter[key] -= 1
        if not counter[key]:
            del counter[key]
