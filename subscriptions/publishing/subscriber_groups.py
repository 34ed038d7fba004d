"""Subscribers by topic and group.

A payload is rendered once per group and delivered to each of its subscribers.
"""

import asyncio
import logging
from collections.abc import Hashable

from domain.topics import Snapshot, Topic
from subscriptions.interfaces import Deliver, Rendered, Source

log = logging.getLogger(__name__)

DELIVERIES_PER_TURN = 25
"""The number of deliveries after which other tasks can run.

A hold must not wait for deliveries to a thousand sockets.
"""

RENDER_TIMEOUT_S = 2.0


class Subscriber:
    """One subscription.

    `first_delivery` completes with its first payload, or with the error that prevents it.
    `is_included` is true from the first refresh that begins after the subscriber was added, because
    an earlier snapshot might not show what its client did before subscribing.
    """

    __slots__ = ("deliver", "first_delivery", "is_included", "source")

    def __init__(self, source: Source, deliver: Deliver) -> None:
        self.source = source
        self.deliver = deliver
        self.is_included = False
        self.first_delivery: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    @property
    def is_pending(self) -> bool:
        return not self.first_delivery.done()


class SubscriberGroups:
    def __init__(self) -> None:
        self._topics: dict[Topic, dict[Hashable, dict[Subscriber, None]]] = {}
        self._pending: dict[Subscriber, None] = {}

    def add(self, subscriber: Subscriber) -> None:
        groups = self._topics.setdefault(subscriber.source.topic, {})
        groups.setdefault(subscriber.source.group, {})[subscriber] = None
        self._pending[subscriber] = None

    def remove(self, subscriber: Subscriber) -> None:
        topic, group = subscriber.source.topic, subscriber.source.group
        groups = self._topics.get(topic, {})
        subscribers = groups.get(group, {})
        subscribers.pop(subscriber, None)
        self._pending.pop(subscriber, None)
        if not subscribers:
            groups.pop(group, None)
        if not groups:
            self._topics.pop(topic, None)

    def __bool__(self) -> bool:
        return bool(self._topics)

    def topics(self) -> tuple[Topic, ...]:
        return tuple(self._topics)

    def has_subscribers(self, topic: Topic) -> bool:
        return topic in self._topics

    def pending(self) -> list[Subscriber]:
        """Return the subscribers whose first delivery is not complete."""
        for subscriber in [subscriber for subscriber in self._pending if not subscriber.is_pending]:
            del self._pending[subscriber]
        return list(self._pending)

    def fail_pending(self, error: Exception) -> None:
        """Complete the first delivery of each pending subscriber with this error."""
        _fail_pending(self.pending(), error)

    def begin_refresh(self) -> list[Topic]:
        """Begin a refresh that includes all current subscribers.

        Returns the topics of the pending subscribers.
        """
        pending = self.pending()
        for subscriber in pending:
            subscriber.is_included = True
        return [subscriber.source.topic for subscriber in pending]

    async def publish(
        self, topic: Topic, snapshot: Snapshot, *, only_pending: bool = False, is_complete: bool = True
    ) -> bool:
        """Render once for each group, and deliver the same bytes to each of its subscribers.

        `is_complete` means that this snapshot completes the first delivery of a pending subscriber.
        Returns False if a group could not be rendered. A group that fails or takes too long does
        not delay other groups.
        """
        groups: list[list[Subscriber]] = []
        for subscribers in self._topics.get(topic, {}).values():
            included = [one for one in subscribers if one.is_included and (one.is_pending or not only_pending)]
            if included:
                groups.append(included)
        if len(groups) == 1:
            return await _publish_to_group(topic, groups[0], snapshot, is_complete=is_complete)
        published = [_publish_to_group(topic, group, snapshot, is_complete=is_complete) for group in groups]
        return all(await asyncio.gather(*published))


async def _publish_to_group(topic: Topic, group: list[Subscriber], snapshot: Snapshot, *, is_complete: bool) -> bool:
    source = group[0].source
    try:
        rendered = source.render_cached(snapshot)
        if rendered is None:
            async with asyncio.timeout(RENDER_TIMEOUT_S):
                rendered = await source.render(snapshot)
    except Exception as error:
        log.exception("a snapshot of %s cannot be rendered", topic)
        _fail_pending(group, error)
        return False
    await _deliver(group, rendered, is_complete=is_complete)
    return True


async def _deliver(group: list[Subscriber], rendered: Rendered, *, is_complete: bool) -> None:
    for count, subscriber in enumerate(group, start=1):
        subscriber.deliver(rendered)
        if is_complete and subscriber.is_pending:
            subscriber.first_delivery.set_result(None)
        if count % DELIVERIES_PER_TURN == 0:
            await asyncio.sleep(0)


def _fail_pending(group: list[Subscriber], error: Exception) -> None:
    for subscriber in group:
        if subscriber.is_pending:
            subscriber.first_delivery.set_exception(error)
