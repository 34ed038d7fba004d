"""Publishes orders to their subscribers.

One `$in` query per second reads all orders that have subscribers. An order is published when its
version increases.
"""

import asyncio
import logging

from domain.errors import NotFound, TemporarilyUnavailable
from domain.ids import OrderId
from domain.topics import OrderTopic
from subscriptions.interfaces import SnapshotReader
from subscriptions.publishing.subscriber_groups import Subscriber, SubscriberGroups
from telemetry.outage_log import OutageLog

log = logging.getLogger(__name__)

REFRESH_EVERY_S = 1.0


class OrderPublisher:
    """The publisher of orders. The hub owns `run`, which ends when no subscriber is left."""

    def __init__(self, reader: SnapshotReader) -> None:
        self._reader = reader
        self._groups = SubscriberGroups()
        self._versions: dict[OrderId, int] = {}
        self._wake = asyncio.Event()
        self._outage = OutageLog(log, "publishing orders")
        self.is_running = False

    def add(self, subscriber: Subscriber) -> None:
        self._groups.add(subscriber)
        self._wake.set()

    def remove(self, subscriber: Subscriber) -> None:
        self._groups.remove(subscriber)
        topic = subscriber.source.topic
        if isinstance(topic, OrderTopic) and not self._groups.has_subscribers(topic):
            self._versions.pop(topic.order_id, None)

    async def run(self) -> None:
        try:
            while True:
                try:
                    await self._refresh()
                    self._outage.succeeded("orders")
                except TemporarilyUnavailable as error:
                    self._outage.failed("orders", error)
                    self._groups.fail_pending(error)
                except Exception as error:
                    log.exception("publishing orders failed")
                    self._groups.fail_pending(error)
                if not self._groups:
                    return
                self._wake.clear()
                try:
                    async with asyncio.timeout(REFRESH_EVERY_S):
                        await self._wake.wait()
                except TimeoutError:
                    continue
        finally:
            self.is_running = False

    async def _refresh(self) -> None:
        self._groups.begin_refresh()
        topics = {topic.order_id: topic for topic in self._groups.topics() if isinstance(topic, OrderTopic)}
        for order in await self._reader.read_orders(topics) if topics else ():
            is_newer = order.version > self._versions.get(order.id, 0)
            if await self._groups.publish(topics[order.id], order, only_pending=not is_newer):
                self._versions[order.id] = order.version
        for subscriber in self._groups.pending():
            topic = subscriber.source.topic
            if subscriber.is_included and isinstance(topic, OrderTopic) and topic.order_id in topics:
                subscriber.first_delivery.set_exception(NotFound("Order", topic.order_id))
