"""The hub: a publisher for each concert with subscribers in this process, one for orders, and one
for sales.
"""

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

from domain.ids import ConcertId
from domain.topics import OrderTopic, SalesTopic, Topic
from storage.keys import hints_channel
from subscriptions.feed import Feed
from subscriptions.interfaces import Deliver, PresenceStore, SnapshotReader, Source
from subscriptions.publishing.concert_publisher import ConcertPublisher
from subscriptions.publishing.order_publisher import OrderPublisher
from subscriptions.publishing.polling_publisher import PollingPublisher
from subscriptions.publishing.push_intervals import PushIntervals
from subscriptions.publishing.sales_publisher import SalesPublisher
from subscriptions.publishing.subscriber_groups import Subscriber
from telemetry.outage_log import OutageLog

log = logging.getLogger(__name__)


class HubSubscription:
    """The handle of a subscription, which delivers until the handle is closed."""

    __slots__ = ("_publisher", "_subscriber")

    def __init__(self, publisher: ConcertPublisher | PollingPublisher, subscriber: Subscriber) -> None:
        self._publisher = publisher
        self._subscriber = subscriber

    def close(self) -> None:
        self._publisher.remove(self._subscriber)


class Hub:
    """Owns a task for each concert with subscribers, one for orders, and one for sales."""

    def __init__(
        self,
        feed: Feed,
        reader: SnapshotReader,
        presence_store: PresenceStore,
        *,
        tick_s: float,
        push_intervals: PushIntervals,
        loop_share: float = 1.0,
    ) -> None:
        """Create a hub. See `ConcertPublisher` for `tick_s` and `loop_share`."""
        self._feed = feed
        self._reader = reader
        self._presence_store = presence_store
        self._tick_s = tick_s
        self._loop_share = loop_share
        self._push_intervals = push_intervals
        self._outage = OutageLog(log, "publishing concerts")
        self._concerts: dict[ConcertId, ConcertPublisher] = {}
        self._orders = OrderPublisher(reader)
        self._sales = SalesPublisher(reader)
        self._tasks: set[asyncio.Task[None]] = set()

    async def subscribe(self, source: Source, deliver: Deliver) -> HubSubscription:
        """Deliver the newest state now and whenever it changes.

        Returns the handle of the subscription. Raises an OnsaleError if the state cannot be read.
        """
        subscriber = Subscriber(source, deliver)
        publisher = self._publisher_for(source.topic)
        publisher.add(subscriber)
        try:
            await subscriber.first_delivery
        except BaseException:
            publisher.remove(subscriber)
            raise
        return HubSubscription(publisher, subscriber)

    def _publisher_for(self, topic: Topic) -> ConcertPublisher | PollingPublisher:
        if isinstance(topic, OrderTopic | SalesTopic):
            polling = self._orders if isinstance(topic, OrderTopic) else self._sales
            if not polling.is_running:
                polling.is_running = True
                self._start_task(polling.run())
            return polling
        publisher = self._concerts.get(topic.concert_id)
        if publisher is None:
            publisher = ConcertPublisher(
                topic.concert_id,
                self._reader,
                self._presence_store,
                tick_s=self._tick_s,
                loop_share=self._loop_share,
                push_intervals=self._push_intervals,
                outage=self._outage,
            )
            self._concerts[topic.concert_id] = publisher
            self._start_task(self._run(topic.concert_id, publisher))
        return publisher

    async def _run(self, concert_id: ConcertId, publisher: ConcertPublisher) -> None:
        channel = hints_channel(concert_id)
        # The first subscriber is added in the same turn of the event loop that creates this task.
        self._feed.listen(channel, publisher.on_hint)
        try:
            while not publisher.is_idle:
                await publisher.run()
        finally:
            # Nothing is awaited before this, because a new subscriber must not find a publisher
            # that is ending.
            if self._concerts.get(concert_id) is publisher:
                del self._concerts[concert_id]
            await self._feed.stop_listening(channel)

    def _start_task(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def aclose(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
