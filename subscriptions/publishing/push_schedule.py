"""Decides who in a queue is due for a payload.

Each subscriber stores the time at which it is due, so a refresh compares one number per person.
These times are computed again only for people whose interval or forecast has changed: they have
numbers between an edge of the last version and the same edge of this version.
"""

from collections.abc import Iterable, Iterator
from itertools import islice
from math import inf

from domain.ids import PersonId
from domain.topics import QueueTopic
from storage.hot.queues import EntryRecord
from storage.time_slice import TimeSlice
from subscriptions.publishing.queue_subscriber import QueueSubscriber
from subscriptions.publishing.shared_snapshot import Membership, SharedSnapshot

CHECKED_PER_STEP = 10_000
"""The number of people who are checked at a time, which takes about a millisecond."""


class PushSchedule:
    """The subscribers of one queue, by person and by number."""

    def __init__(self) -> None:
        self._subscribers: dict[PersonId, QueueSubscriber] = {}
        self._by_number: dict[int, QueueSubscriber] = {}
        """The people who are in the queue and have a number."""
        self._last: SharedSnapshot | None = None
        self._changed_at_s = -inf

    def __iter__(self) -> Iterator[QueueSubscriber]:
        return iter(self._subscribers.values())

    def __contains__(self, person_id: PersonId) -> bool:
        return person_id in self._subscribers

    def get(self, person_id: PersonId) -> QueueSubscriber | None:
        return self._subscribers.get(person_id)

    def add(self, topic: QueueTopic) -> None:
        self._subscribers.setdefault(topic.person_id, QueueSubscriber(topic))

    def remove(self, person_id: PersonId) -> None:
        subscriber = self._subscribers.pop(person_id, None)
        if subscriber is not None:
            self.update(subscriber, None)

    def update(self, subscriber: QueueSubscriber, record: EntryRecord | None) -> None:
        """Store the entry of a subscriber."""
        if subscriber.number is not None and self._by_number.get(subscriber.number) is subscriber:
            del self._by_number[subscriber.number]
        subscriber.update(record)
        if subscriber.number is not None and subscriber.membership is Membership.IN_QUEUE:
            self._by_number[subscriber.number] = subscriber

    def begin_version(self, shared: SharedSnapshot, now_s: float) -> SharedSnapshot:
        """Update the due times, and return the snapshot with the equal parts of the last one."""
        last = self._last
        if last is not None:
            shared = shared.reuse(last)
        if last is None or shared.announcement is not last.announcement:
            for subscriber in self:
                subscriber.make_due()
        else:
            for subscriber in self._affected(last, shared):
                subscriber.reschedule(shared)
        if last is None or shared.common is not last.common:
            self._changed_at_s = now_s
        self._last = shared
        return shared

    def _affected(self, last: SharedSnapshot, shared: SharedSnapshot) -> Iterable[QueueSubscriber]:
        if last.sold_out_without_number != shared.sold_out_without_number:
            return self
        edges = zip(last.edges, shared.edges, strict=True)
        return [one for edge in edges if edge[0] != edge[1] for one in self._numbered(min(edge), max(edge))]

    def _numbered(self, first: int, last: int) -> Iterable[QueueSubscriber]:
        """Return the people in the queue with numbers from `first` to `last`."""
        if last - first > len(self._by_number):
            return [one for number, one in self._by_number.items() if first <= number <= last]
        found = map(self._by_number.get, range(first, last + 1))
        return [one for one in found if one is not None]

    async def find_due(self, shared: SharedSnapshot, now_s: float) -> tuple[list[QueueSubscriber], float]:
        """Return the people who are due and have yet to receive this version, and the time at which
        the first of the others is due.
        """
        changed_at_s = self._changed_at_s
        due: list[QueueSubscriber] = []
        next_due_s, time_slice = inf, TimeSlice()
        remaining = iter(list(self._subscribers.values()))
        while step := list(islice(remaining, CHECKED_PER_STEP)):
            due += [one for one in step if one.due_s <= now_s and one.is_behind(shared)]
            later = [one.due_s for one in step if one.due_s > now_s and one.published_at_s < changed_at_s]
            next_due_s = min(next_due_s, min(later, default=inf))
            await time_slice.checkpoint()
        return due, next_due_s
