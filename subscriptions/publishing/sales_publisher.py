"""Publishes the sales of concerts to their organizers.

Each concert with subscribers is summed about once a second, whatever the number of subscribers, and
published when its version increases. Summing a large concert takes long, so the pause before the
next sum is a multiple of that time.
"""

import time

from domain.errors import TemporarilyUnavailable
from domain.ids import ConcertId
from domain.topics import SalesTopic
from subscriptions.interfaces import SnapshotReader
from subscriptions.publishing.polling_publisher import PollingPublisher
from subscriptions.publishing.subscriber_groups import Subscriber

REFRESH_EVERY_S = 1.0
PAUSE_PER_READ = 9
"""The pause after a read, as a multiple of its duration, so that a tenth of the time is spent
reading.
"""


class SalesPublisher(PollingPublisher):
    """The publisher of sales."""

    name = "sales"

    def __init__(self, reader: SnapshotReader) -> None:
        super().__init__()
        self._reader = reader
        self._versions: dict[ConcertId, int] = {}
        self._due_s: dict[ConcertId, float] = {}
        """When to read each concert again."""

    @property
    def pause_s(self) -> float:
        now_s = time.monotonic()
        return min(self._due_s.values(), default=now_s + REFRESH_EVERY_S) - now_s

    def remove(self, subscriber: Subscriber) -> None:
        super().remove(subscriber)
        topic = subscriber.source.topic
        if isinstance(topic, SalesTopic) and not self._groups.has_subscribers(topic):
            self._versions.pop(topic.concert_id, None)
            self._due_s.pop(topic.concert_id, None)

    async def refresh(self) -> None:
        pending, now_s = self._groups.begin_refresh(), time.monotonic()
        for topic in self._groups.topics():
            if isinstance(topic, SalesTopic) and (topic in pending or self._due_s.get(topic.concert_id, 0.0) <= now_s):
                await self._publish(topic)

    async def _publish(self, topic: SalesTopic) -> None:
        concert_id, started_s = topic.concert_id, time.monotonic()
        self._due_s[concert_id] = started_s + REFRESH_EVERY_S
        try:
            sales = await self._reader.read_sales(concert_id)
        except TemporarilyUnavailable as error:
            # The other concerts are still read: this one may just be too large.
            self._outage.failed(concert_id, error)
            self._groups.fail_pending_of(topic, error)
        else:
            self._outage.succeeded(concert_id)
            is_newer = sales.version > self._versions.get(concert_id, -1)
            if await self._groups.publish(topic, sales, only_pending=not is_newer):
                self._versions[concert_id] = sales.version
        took_s = time.monotonic() - started_s
        if self._groups.has_subscribers(topic):
            self._due_s[concert_id] = started_s + took_s + max(REFRESH_EVERY_S, PAUSE_PER_READ * took_s)
        else:
            self._versions.pop(concert_id, None)
            self._due_s.pop(concert_id, None)
