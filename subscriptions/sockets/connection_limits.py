"""Counts the open sockets and event streams of this process in total, per address and per person.

At a limit, the sockets that have been silent longest are probed. Sockets that do not answer are
half open and are closed to make room for a new connection.
"""

import asyncio
import heapq
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

from domain.ids import PersonId
from subscriptions.interfaces import Caller
from subscriptions.sockets.caller_connections import CallerConnections, EndableConnection
from subscriptions.sockets.limits import Limits

MAX_PROBES = 50
"""The maximum number of sockets probed together, and of new connections that wait for a probe.

One new connection must not cause pings to thousands of sockets.
"""
PROBE_PAUSE_S = 10.0
"""The time after a probe during which the same address or person is not probed again."""


class TooManyConnections(Exception):
    """Raised if a connection limit is reached.

    `str(error)` names the limit. A retry succeeds after other connections have closed.
    """


class CountedConnection(Protocol):
    """A counted socket."""

    @property
    def heard_s(self) -> float:
        """Return when the client last sent a message."""

    def probe(self) -> "asyncio.Future[None]":
        """Ping the client, and close the socket unless the client soon sends a message.

        The future completes in either case.
        """


@dataclass(slots=True)
class _Probe:
    started_s: float
    answers: "list[asyncio.Future[None]]"
    waiting: int = 0


class _Group:
    """The open connections of each address, or of each person."""

    def __init__(self, limit: int, subject: str, clock: Callable[[], float]) -> None:
        self._limit = limit
        self._subject = subject
        self._clock = clock
        self._counts: Counter[str] = Counter()
        self._members: dict[str, dict[CountedConnection, None]] = {}
        self._probes: dict[str, _Probe] = {}

    def enter(self, key: str | None, member: CountedConnection | None) -> None:
        """Count one more connection for the key. Raises TooManyConnections."""
        if key is None:
            return
        if self._is_full(key):
            raise TooManyConnections(f"{self._subject} has reached its limit of open connections ({self._limit})")
        self._counts[key] += 1
        if member is not None:
            self._members.setdefault(key, {})[member] = None

    def leave(self, key: str | None, member: CountedConnection | None) -> None:
        if key is None:
            return
        self._counts[key] -= 1
        if member is not None:
            del self._members[key][member]
        if not self._counts[key]:
            del self._counts[key]
            self._members.pop(key, None)
            self._probes.pop(key, None)

    async def make_room(self, key: str | None) -> None:
        """If the limit is reached, wait until a silent socket is closed or all have answered."""
        if key is None or not self._is_full(key):
            return
        probe = self._probes.get(key)
        if probe is None or self._clock() - probe.started_s > PROBE_PAUSE_S:
            silent_first = heapq.nsmallest(MAX_PROBES, self._members.get(key, ()), key=lambda one: one.heard_s)
            probe = self._probes[key] = _Probe(self._clock(), [one.probe() for one in silent_first])
        if probe.waiting >= MAX_PROBES:
            return
        probe.waiting += 1
        try:
            await self._wait_for_room(key, probe)
        finally:
            probe.waiting -= 1

    async def _wait_for_room(self, key: str, probe: _Probe) -> None:
        while self._is_full(key) and (running := [answer for answer in probe.answers if not answer.done()]):
            await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)

    def _is_full(self, key: str) -> bool:
        return self._counts[key] >= self._limit


class ConnectionCounter:
    def __init__(self, limits: Limits, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._limits = limits
        self._total = 0
        self._by_address = _Group(limits.streams_per_address, "Your address", clock)
        self._by_person = _Group(limits.streams_per_person, "Your account", clock)
        self.callers = CallerConnections()
        """The connections that end when a session ends."""

    @property
    def total(self) -> int:
        return self._total

    def enter_connection(self, address: str | None, member: CountedConnection | None = None) -> None:
        """Count one connection until it leaves. Raises TooManyConnections.

        A client without an address, on a Unix socket, counts only toward the total.
        """
        if self._total >= self._limits.streams:
            raise TooManyConnections("This server is full")
        self._by_address.enter(address, member)
        self._total += 1

    def leave_connection(self, address: str | None, member: CountedConnection | None = None) -> None:
        self._total -= 1
        self._by_address.leave(address, member)

    def enter_caller(
        self, caller: Caller | None, connection: EndableConnection, member: CountedConnection | None = None
    ) -> None:
        """Count a connection of a signed-in caller until it leaves, and end it if the caller is
        refused.

        Raises TooManyConnections.
        """
        if caller is not None:
            self._by_person.enter(caller.person_id, member)
            self.callers.add(caller, connection)

    def leave_caller(
        self, caller: Caller | None, connection: EndableConnection, member: CountedConnection | None = None
    ) -> None:
        if caller is not None:
            self.callers.remove(connection)
            self._by_person.leave(caller.person_id, member)

    @contextmanager
    def count_connection(self, address: str | None) -> Iterator[None]:
        """Count one connection while the context is open. Raises TooManyConnections."""
        self.enter_connection(address)
        try:
            yield
        finally:
            self.leave_connection(address)

    @contextmanager
    def count_person(self, person: PersonId | None) -> Iterator[None]:
        """Count one connection of this person while the context is open.

        Raises TooManyConnections.
        """
        self._by_person.enter(person, None)
        try:
            yield
        finally:
            self._by_person.leave(person, None)

    @contextmanager
    def count_caller(self, caller: Caller | None, connection: EndableConnection) -> Iterator[None]:
        """Count a connection of a signed-in caller while the context is open.

        It is ended if the caller is refused. Raises TooManyConnections.
        """
        self.enter_caller(caller, connection)
        try:
            yield
        finally:
            self.leave_caller(caller, connection)

    async def make_room_for_connection(self, address: str | None) -> None:
        """Close a silent socket of this address if the address has reached its limit.

        Call this right before `enter_connection`, which raises if all sockets answered.
        """
        await self._by_address.make_room(address)

    async def make_room_for_person(self, person: PersonId | None) -> None:
        """Close a silent socket of this person if the person has reached their limit.

        Call this right before `enter_caller`, which raises if all sockets answered.
        """
        await self._by_person.make_room(person)
