"""Publishes orders to their subscribers.

One `$in` query per second reads all orders that have subscribers. An order is published when its
version increases.
"""

from domain.errors import NotFound
from domain.ids import OrderId
from domain.topics import OrderTopic
from subscriptions.interfaces import SnapshotReader
from subscriptions.publishing.polling_publisher import PollingPublisher
from subscriptions.publishing.subscriber_groups import Subscriber

REFRESH_EVERY_S = 1.0


class OrderPublisher(PollingPublisher):
    """The publisher of orders."""

    name = "orders"

    def __init__(self, reader: SnapshotReader) -> None:
        super().__init__()
        self._reader = reader
        self._versions: dict[OrderId, int] = {}

    @property
    def pause_s(self) -> float:
        return REFRESH_EVERY_S

    def remove(self, subscriber: Subscriber) -> None:
        super().remove(subscriber)
        topic = subscriber.source.topic
        if isinstance(topic, OrderTopic) and not self._groups.has_subscribers(topic):
            self._versions.pop(topic.order_id, None)

    async def refresh(self) -> None:
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
