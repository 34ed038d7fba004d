"""Store failures that do not fail a request are logged with their cause, once per series."""

import logging
from dataclasses import dataclass
from datetime import datetime
from typing import cast

import pytest

from domain.concerts import Concert
from domain.errors import TemporarilyUnavailable
from domain.ids import ConcertId
from storage.mongo.concerts import ConcertStore
from storage.sync.concert_cache import REFRESH_S, ConcertCache
from tests.support.snapshots import CONCERT
from tests.support.waiting import wait_until


@dataclass
class FailingStore:
    is_unavailable: bool = False
    reads: int = 0

    async def list_active(self, *, starts_after: datetime) -> tuple[Concert, ...]:
        self.reads += 1
        self._fail()
        return (CONCERT,)

    async def get(self, concert_id: ConcertId) -> Concert | None:
        self._fail()
        return CONCERT

    def _fail(self) -> None:
        if self.is_unavailable:
            raise TemporarilyUnavailable("The order database does not answer") from OSError("no route")


async def test_repeated_failure_to_read_the_list_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    store, now_s = FailingStore(), [0.0]
    cache = ConcertCache(cast(ConcertStore, store), clock=lambda: now_s[0])
    await cache.list_all()

    async def read_again() -> None:
        """Let the list become stale, and wait until it is read again."""
        reads = store.reads
        now_s[0] += REFRESH_S + 1
        await cache.list_all()
        await wait_until(lambda: store.reads > reads, what="the read")

    for is_unavailable in (True, True, False, True):
        store.is_unavailable = is_unavailable
        await read_again()
    await cache.aclose()
    lines = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert lines == ["the list of concerts cannot be read: OSError: no route"] * 2


async def test_failure_to_read_a_concert_again_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    store = FailingStore()
    cache = ConcertCache(cast(ConcertStore, store), clock=lambda: 0.0)
    await cache.list_all()
    store.is_unavailable = True
    assert await cache.get(CONCERT.id, version=CONCERT.version + 1) == CONCERT
    await cache.aclose()
    (line,) = [record.getMessage() for record in caplog.records]
    assert line == f"concert {CONCERT.id} stays as it was read before: OSError: no route"
