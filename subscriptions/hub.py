"""The hub: a publisher for each concert with subscribers in this process, and one for orders."""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any

from domain.ids import ConcertId
from domain.topics import OrderTopic, Topic
from storage.keys import hints_channel
from subscriptions.feed import Feed
from subscriptions.interfaces import Deliver, PresenceStore, SnapshotReader, Source
from subscriptions.publishing.concert_publisher import ConcertPublisher
from subscriptions.publishing.order_publisher import OrderPublisher
from subscriptions.publishing.push_intervals import PushIntervals
from subscriptions.publishing.subscriber_groups import Subscriber
from telemetry.outage_log import OutageLog

log = logging.getLogger(__name__)


class HubSubscription:
    """The handle of a subscription, which delivers until the handle is closed."""

    def __init__(self, close: Callable[[], None]) -> None:
        self._close = close

    def close(self) -> None:
        self._close()


class Hub:
    """Owns a task for each concert with subscribers, and one for orders."""

    def __init__(
        self,
        feed: Feed,
        reader: SnapshotReader,
        presence_store: PresenceStore,
        *,
        tick_s: float,
        push_intervals: PushIntervals,
    ) -> None:
        self._feed = feed
        self._reader = reader
        self._presence_store = presence_store
        self._tick_s = tick_s
        self._push_intervals = push_intervals
        self._outage = OutageLog(log, "publishing concerts")
        self._concerts: dict[ConcertId, ConcertPublisher] = {}
        self._orders = OrderPublisher(reader)
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
        return HubSubscription(lambda: publisher.remove(subscriber))

    def _publisher_for(self, topic: Topic) -> ConcertPublisher | OrderPublisher:
        if isinstance(topic, OrderTopic):
            if not self._orders.is_running:
                self._orders.is_running = True
                self._start_task(self._orders.run())
            return self._orders
        publisher = self._concerts.get(topic.concert_id)
        if publisher is None:
            publisher = ConcertPublisher(
                topic.concert_id,
                self._reader,
                self._presence_store,
                tick_s=self._tick_s,
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
