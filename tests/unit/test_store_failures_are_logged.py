"""Store failures that cause no refusal are logged with their cause, once per outage."""

import asyncio
from dataclasses import dataclass
from datetime import datetime
from typing import cast

import pytest

from domain.concerts import Concert
from domain.errors import TemporarilyUnavailable
from domain.ids import ConcertId
from domain.topics import StockTopic
from storage.mongo.concerts import ConcertStore
from storage.sync.concert_cache import REFRESH_S, ConcertCache
from tests.support.fake_queue import FakeQueue
from tests.support.hub_recorder import SnapshotRecorder
from tests.support.publisher_steps import add_subscriber, make_outage_log, make_publisher
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


async def test_failure_to_read_the_list_is_logged_once_per_outage(caplog: pytest.LogCaptureFixture) -> None:
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
    assert caplog.messages == [
        "reading the list of concerts failed, trying again: OSError: no route",
        "reading the list of concerts works again after 6 s and 2 failed attempts",
        "reading the list of concerts failed, trying again: OSError: no route",
    ]


async def test_failure_to_read_a_concert_again_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    store = FailingStore()
    cache = ConcertCache(cast(ConcertStore, store), clock=lambda: 0.0)
    await cache.list_all()
    store.is_unavailable = True
    assert await cache.get(CONCERT.id, version=CONCERT.version + 1) == CONCERT
    await cache.aclose()
    (line,) = [record.getMessage() for record in caplog.records]
    assert line == f"concert {CONCERT.id} stays as it was read before: OSError: no route"


async def test_outage_that_affects_many_concerts_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    queue, outage = FakeQueue(people=1, fails={"snapshot"}), make_outage_log()
    tasks = []
    for id_ in (ConcertId("a"), ConcertId("b")):
        publisher = make_publisher(queue, concert_id=id_, outage=outage)
        subscriber = add_subscriber(publisher, SnapshotRecorder(StockTopic(id_)))
        subscriber.first_delivery.add_done_callback(lambda first: first.exception())
        tasks.append(asyncio.create_task(publisher.run()))
    await wait_until(lambda: queue.calls["snapshot"] >= 4, what="two failures of each concert")
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    (line,) = caplog.messages
    assert line.startswith("publishing concerts failed, trying again: snapshot cannot be read")
