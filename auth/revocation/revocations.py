"""The revocations known to this process, which reads new ones from the database every second.

A revocation applies as soon as it is known, even to a token or a session that is cached later.
Hints only make a read happen earlier. At the start, nothing is known, so `is_loaded` is False until
the first read has succeeded; until then, callers must accept no credentials. If the database is
unavailable later, what is known still applies: no process can record a logout during that time, so
none is missed.
"""

import asyncio
import logging
import time
import uuid
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Protocol

from domain.errors import TemporarilyUnavailable
from domain.identity.revocations import REVOCATION_LASTS_S, Revocation, RevocationPage
from domain.ids import PersonId

log = logging.getLogger(__name__)

READ_EVERY_S = 0.9
"""From the start of a read to the start of the next, so a logout takes effect within a second."""
READ_TIMEOUT_S = 5.0
"""The timeout for each page."""
MAX_REVOCATIONS = 100_000
"""The maximum number of revocations in memory, about 40 MiB.

Beyond it, the oldest are dropped, and every token that was issued before they were recorded is
refused.
"""
MAX_CLOCK_DIFFERENCE_S = 120.0
"""The maximum difference between the clocks of the issuer and of the database.

A logout token with a larger difference is refused.
"""
REPORT_AFTER_S = 10.0
"""How long reads may fail before `/readyz` reports it."""


class Identified(Protocol):
    """A viewer or the caller of a connection."""

    @property
    def person_id(self) -> PersonId: ...

    @property
    def session_id(self) -> str | None: ...

    @property
    def issued_at(self) -> float: ...


class Store(Protocol):
    def insert(self, revocation: Revocation) -> Awaitable[None]: ...

    def read_pages(self, since: int | None) -> AsyncIterator[RevocationPage]: ...


NewRevocations = Callable[[Sequence[Revocation]], None]


def _publish_nothing() -> None:
    """Do nothing; the other processes find the revocation at their next read."""


class Revocations:
    """Run `run` as a task. Cancel and await it at the end."""

    def __init__(
        self,
        store: Store,
        *,
        publish_hint: Callable[[], None] = _publish_nothing,
        capacity: int = MAX_REVOCATIONS,
    ) -> None:
        """`publish_hint` makes the other processes read now. It must not block or raise."""
        self._store = store
        self._publish_hint = publish_hint
        self._capacity = capacity
        self._ended: OrderedDict[tuple[str, str], Revocation] = OrderedDict()
        """By kind and value, oldest first."""
        self._floor_s = float("-inf")
        """Tokens issued up to this time are refused, because older revocations were dropped."""
        self._subscribers: list[NewRevocations] = []
        self._read_through: int | None = None
        self._loaded = asyncio.Event()
        self._wake = asyncio.Event()
        self._failing_since_s: float | None = None

    def __len__(self) -> int:
        return len(self._ended)

    @property
    def is_loaded(self) -> bool:
        """Return whether the revocations have been read at least once since the start."""
        return self._loaded.is_set()

    async def wait_until_loaded(self) -> None:
        await self._loaded.wait()

    @property
    def problem(self) -> str | None:
        """Return a sentence for `/readyz`, or None if the last reads succeeded."""
        if not self.is_loaded:
            return "the ended sessions have not been read since startup"
        if self._failing_since_s is None:
            return None
        failing_s = asyncio.get_running_loop().time() - self._failing_since_s
        return f"the ended sessions were last read {failing_s:.0f} s ago" if failing_s >= REPORT_AFTER_S else None

    def is_revoked(self, viewer: Identified) -> bool:
        """Return whether a revocation covers the viewer, by session or by time of issue."""
        if viewer.issued_at <= self._floor_s or ("sid", viewer.session_id) in self._ended:
            return True
        ended = self._ended.get(("sub", viewer.person_id))
        return ended is not None and viewer.issued_at <= ended.issued_before_s

    def subscribe(self, callback: NewRevocations) -> None:
        """Call `callback` with the new revocations of each read. It must not block or raise."""
        self._subscribers.append(callback)

    async def revoke_session(self, sid: str) -> None:
        """End a session. Raises TemporarilyUnavailable if this might not have been recorded."""
        await self.revoke(Revocation(uuid.uuid4().hex, session_id=sid))

    async def revoke_person(self, sub: PersonId, issued_before_s: float) -> None:
        """End a person's sessions if their tokens were issued at this time or earlier.

        Raises TemporarilyUnavailable if this might not have been recorded.
        """
        await self.revoke(Revocation(uuid.uuid4().hex, person_id=sub, issued_before_s=issued_before_s))

    async def revoke(self, revocation: Revocation) -> None:
        """Record a revocation and apply it here. The other processes read it within a second.

        Raises AlreadyRevoked, or TemporarilyUnavailable if it might not have been recorded.
        """
        await self._store.insert(revocation)
        self._apply([replace(revocation, recorded_at_s=time.time())])
        self._publish_hint()

    def wake(self) -> None:
        """Read now instead of waiting for the next read."""
        self._wake.set()

    async def run(self) -> None:
        """Read new revocations until canceled."""
        clock = asyncio.get_running_loop().time
        while True:
            started_s = clock()
            # Cleared before the read, so a hint during the read leads to another read.
            self._wake.clear()
            await self._try_to_read(clock)
            try:
                async with asyncio.timeout_at(started_s + READ_EVERY_S):
                    await self._wake.wait()
            except TimeoutError:
                continue

    async def _try_to_read(self, clock: Callable[[], float]) -> None:
        try:
            await self.read_new()
        except (TemporarilyUnavailable, TimeoutError) as error:
            self._record_failure(clock(), error)
        except Exception as error:
            log.exception("reading the ended sessions failed")
            self._record_failure(clock(), error)
        else:
            if self._failing_since_s is not None:
                log.warning(
                    "the ended sessions can be read again; they could not be read for %.0f s",
                    clock() - self._failing_since_s,
                )
            self._failing_since_s = None

    def _record_failure(self, now_s: float, error: Exception) -> None:
        if self._failing_since_s is None:
            self._failing_since_s = now_s
            log.warning("the ended sessions cannot be read, trying again: %s", error.__cause__ or error)

    async def read_new(self) -> None:
        """Read and apply the revocations recorded since the last read.

        Raises TemporarilyUnavailable or TimeoutError.
        """
        read_through: int | None = None
        is_first = True
        clock = asyncio.get_running_loop().time
        async with asyncio.timeout(READ_TIMEOUT_S) as limit:
            async for page in self._store.read_pages(self._read_through):
                limit.reschedule(clock() + READ_TIMEOUT_S)
                if is_first:
                    # Later pages see later writes, but only the first page's time covers all pages.
                    read_through, is_first = page.read_through, False
                self._apply(page.revocations)
        self._read_through = read_through
        if read_through is not None:
            self._forget_before((read_through >> 32) - REVOCATION_LASTS_S)
        self._loaded.set()

    def _apply(self, revocations: Sequence[Revocation]) -> None:
        new = [revocation for revocation in revocations if self._add(revocation)]
        if new:
            for callback in self._subscribers:
                callback(new)

    def _add(self, revocation: Revocation) -> bool:
        """Add a revocation, and return whether it ends something that had not ended yet."""
        key = _key(revocation)
        known = self._ended.get(key)
        if known is not None and known.issued_before_s >= revocation.issued_before_s:
            if known.id == revocation.id:
                # This process recorded it; now the database has said when.
                self._ended[key] = revocation
            return False
        self._ended[key] = revocation
        self._ended.move_to_end(key)
        if len(self._ended) > self._capacity:
            _, dropped = self._ended.popitem(last=False)
            latest_s = max(dropped.recorded_at_s, dropped.issued_before_s)
            self._floor_s = max(self._floor_s, latest_s + MAX_CLOCK_DIFFERENCE_S)
        return True

    def _forget_before(self, time_s: float) -> None:
        while self._ended and next(iter(self._ended.values())).recorded_at_s < time_s:
            self._ended.popitem(last=False)


def _key(revocation: Revocation) -> tuple[str, str]:
    if revocation.session_id is not None:
        return "sid", revocation.session_id
    return "sub", revocation.person_id or ""
