"""Subscribers by topic and group.

A payload is rendered once per group and delivered to each of its subscribers. The group of each
subscriber follows from the snapshot, so changed rights move a subscriber before the next payload.
"""

import asyncio
import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from domain.topics import Snapshot, Topic
from storage.time_slice import MAX_PUSH_SLICE_S, MAX_PUSH_STEPS, TimeSlice
from subscriptions.interfaces import Rendered
from subscriptions.publishing.topic_subscribers import Delivery, Subscriber, TopicSubscribers

__all__ = ["Subscriber", "SubscriberGroups"]

log = logging.getLogger(__name__)

DELIVERIES_PER_CHECK = 20
"""The number of deliveries between two checks of the clock. They take about 0.2 ms."""
RENDERS_PER_TURN = 4
"""The number of groups that start to render in one iteration of the event loop.

They take about 2 ms. A client can create many groups, because each document has its own.
"""
RENDER_TIMEOUT_S = 2.0


class SubscriberGroups:
    def __init__(self) -> None:
        self._topics: dict[Topic, TopicSubscribers] = {}
        self._pending: dict[Subscriber, None] = {}
        self._turn = asyncio.Lock()
        """Held during the delivery to a group, so that concurrent deliveries share one slice."""
        self._time_slice = TimeSlice(max_s=MAX_PUSH_SLICE_S, max_steps=MAX_PUSH_STEPS)

    def add(self, subscriber: Subscriber) -> None:
        self._topics.setdefault(subscriber.source.topic, TopicSubscribers()).add(subscriber)
        self._pending[subscriber] = None

    def remove(self, subscriber: Subscriber) -> None:
        """Remove a subscriber, who gets nothing from now on, even from a delivery in progress."""
        topic = subscriber.source.topic
        subscribers = self._topics.get(topic)
        if subscribers is not None:
            subscribers.remove(subscriber)
            if not subscribers:
                del self._topics[topic]
        self._pending.pop(subscriber, None)

    def __bool__(self) -> bool:
        return bool(self._topics)

    def topics(self) -> tuple[Topic, ...]:
        return tuple(self._topics)

    def has_subscribers(self, topic: Topic) -> bool:
        return topic in self._topics

    def subscribers(self, topic: Topic) -> list[Subscriber]:
        return list(self._topics.get(topic, ()))

    def pending(self) -> list[Subscriber]:
        """Return the subscribers whose first delivery is not complete."""
        pending = [subscriber for subscriber in self._pending if subscriber.is_pending]
        if len(pending) < len(self._pending):
            # A new dict, because one that shrinks keeps its memory.
            self._pending = dict.fromkeys(pending)
        return pending

    def fail_pending(self, error: Exception) -> None:
        """Complete the first delivery of each pending subscriber with this error."""
        _fail(self.pending(), error)

    def fail_pending_of(self, topic: Topic, error: Exception) -> None:
        """Complete the first delivery of each pending subscriber of one topic with this error."""
        _fail([one for one in self.pending() if one.is_included and one.source.topic == topic], error)

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
        subscribers = self._topics.get(topic)
        if subscribers is None:
            return True
        publication = _Publication(topic, subscribers, snapshot, is_complete)
        return await self._publish(publication, subscribers.deliveries(snapshot, only_pending=only_pending))

    async def _publish(self, publication: "_Publication", deliveries: Sequence[Delivery]) -> bool:
        if len(deliveries) == 1:
            return await self._publish_to_group(publication, deliveries[0])
        tasks: list[asyncio.Task[bool]] = []
        async with asyncio.TaskGroup() as group:
            for delivery in deliveries:
                tasks.append(group.create_task(self._publish_to_group(publication, delivery)))
                if len(tasks) % RENDERS_PER_TURN == 0:
                    await asyncio.sleep(0)
        return all(task.result() for task in tasks)

    async def _publish_to_group(self, publication: "_Publication", delivery: Delivery) -> bool:
        try:
            rendered = delivery.render_cached(publication.snapshot)
            if rendered is None:
                async with asyncio.timeout(RENDER_TIMEOUT_S):
                    rendered = await delivery.render(publication.snapshot)
        except Exception as error:
            log.exception("a snapshot of %s cannot be rendered", publication.topic)
            _fail(delivery.pending, error)
            return False
        if rendered is None:
            return await self._publish(publication, publication.subscribers.split(delivery))
        async with self._turn:
            await self._deliver(delivery.pending, rendered)
            if publication.is_complete:
                publication.subscribers.admit(delivery)
            await self._deliver(delivery.members, rendered)
        return True

    async def _deliver(self, subscribers: Sequence[Subscriber], rendered: Rendered) -> None:
        """Deliver in slices, between which other tasks run. One failed delivery stops no other."""
        for first in range(0, len(subscribers), DELIVERIES_PER_CHECK):
            part = subscribers[first : first + DELIVERIES_PER_CHECK]
            for subscriber in part:
                try:
                    subscriber.deliver(rendered)
                except Exception:
                    log.exception("a payload could not be delivered")
            await self._time_slice.checkpoint(steps=len(part))


@dataclass(frozen=True, slots=True)
class _Publication:
    """A snapshot that is being published to the subscribers of its topic."""

    topic: Topic
    subscribers: TopicSubscribers
    snapshot: Snapshot
    is_complete: bool


def _fail(subscribers: Iterable[Subscriber], error: Exception) -> None:
    for subscriber in subscribers:
        subscriber.fail(error)
