"""Publishes queue snapshots to people who are subscribed to their entries in one queue.

A change to a person's own entry is published immediately; movement of the queue is published within
the person's push interval. Entries are read in batches and only for dirty people. A person who is
not due costs only one comparison.
"""

import time
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from math import inf

from domain.ids import ConcertId, PersonId
from domain.queues import EntryState
from domain.stock import StockAhead
from domain.topics import QueueTopic
from storage.hot.queues import EntryRecord
from storage.time_slice import TimeSlice
from subscriptions.interfaces import SnapshotReader
from subscriptions.publishing.presence import Presence
from subscriptions.publishing.queue_subscriber import QueueSubscriber
from subscriptions.publishing.shared_snapshot import Membership, SharedSnapshot
from subscriptions.publishing.subscriber_groups import SubscriberGroups

BATCH = 250
"""The number of entries in one command. Other tasks wait for about 3 ms while they are parsed."""
MAX_PER_REFRESH = 1_000
"""The maximum number of people with unchanged entries to whom one refresh publishes.

The rest wait for the next refresh, which publishes to dirty people first.
"""


class QueuePublisher:
    """The publisher of queue entries.

    People stay dirty until their entries are published, so no change is lost if a refresh fails.
    """

    def __init__(
        self,
        concert_id: ConcertId,
        reader: SnapshotReader,
        groups: SubscriberGroups,
        *,
        presence: Presence,
        request_refresh: Callable[[], None],
    ) -> None:
        self._concert_id = concert_id
        self._reader = reader
        self._groups = groups
        self._presence = presence
        self._request_refresh = request_refresh
        self._subscribers: dict[PersonId, QueueSubscriber] = {}
        self._dirty: dict[PersonId, None] = {}
        self._dirty_later: dict[PersonId, None] = {}
        self._last_common: tuple[object, ...] = ()
        self._changed_at_s = -inf
        self.next_due_s = inf
        """The earliest time at which a person who has not received the current version is due."""

    def add(self, topic: QueueTopic) -> None:
        self._subscribers.setdefault(topic.person_id, QueueSubscriber(topic))

    def remove(self, person_id: PersonId) -> None:
        self._subscribers.pop(person_id, None)
        self._clear_dirty(person_id)
        self._presence.disconnected(person_id)

    def mark_dirty(self, people: Iterable[PersonId]) -> None:
        """Mark these people, so that the next refresh reads their entries."""
        self._dirty.update((person_id, None) for person_id in people if person_id in self._subscribers)

    def mark_all_dirty(self) -> None:
        """Mark all subscribers. Each refresh reads some of their entries."""
        self._dirty_later.update(dict.fromkeys(self._subscribers))

    def mark_called_dirty(self) -> None:
        """Mark called people, because their deadlines may have been extended."""
        self.mark_dirty(
            [person_id for person_id, one in self._subscribers.items() if one.membership is Membership.CALLED]
        )

    async def refresh(self, shared: SharedSnapshot) -> None:
        began_s = time.monotonic()
        await self._publish_dirty(list(self._dirty), shared)
        await self._publish_dirty(list(islice(self._dirty_later, MAX_PER_REFRESH)), shared)
        if self._dirty_later:
            self._request_refresh()
        due = self._due(shared, began_s)
        if len(due) > MAX_PER_REFRESH:
            # The people who have waited longest are served first, so that no person waits forever.
            due.sort(key=lambda subscriber: subscriber.published_at_s)
            self._request_refresh()
        time_slice = TimeSlice()
        for subscriber in due[:MAX_PER_REFRESH]:
            await self._publish_moved(subscriber, shared)
            await time_slice.checkpoint()

    def _due(self, shared: SharedSnapshot, now_s: float) -> list[QueueSubscriber]:
        if shared.common != self._last_common:
            self._last_common, self._changed_at_s = shared.common, now_s
        due: list[QueueSubscriber] = []
        self.next_due_s = inf
        for subscriber in self._subscribers.values():
            due_s = subscriber.due_s(shared)
            if due_s <= now_s:
                due.append(subscriber)
            elif subscriber.published_at_s < self._changed_at_s:
                self.next_due_s = min(self.next_due_s, due_s)
        return due

    async def _publish_dirty(self, people: Sequence[PersonId], shared: SharedSnapshot) -> None:
        for first in range(0, len(people), BATCH):
            batch = people[first : first + BATCH]
            records = await self._reader.read_entries(self._concert_id, batch)
            time_slice = TimeSlice()
            for person_id in batch:
                subscriber = self._subscribers.get(person_id)
                if subscriber is None:
                    self._clear_dirty(person_id)
                else:
                    await self._publish_updated(subscriber, records.get(person_id), shared)
                await time_slice.checkpoint()

    async def _publish_updated(
        self, subscriber: QueueSubscriber, record: EntryRecord | None, shared: SharedSnapshot
    ) -> None:
        before, membership_before = subscriber.record, subscriber.membership
        subscriber.update(record)
        is_new_entry = record is not None and (before is None or before.entry_id != record.entry_id)
        is_in_queue = subscriber.membership is Membership.IN_QUEUE
        if is_in_queue and (is_new_entry or membership_before is not Membership.IN_QUEUE):
            # The store has no connection on record for a new entry. A store that was restored from
            # an older copy may have lost the record for an old entry.
            self._presence.connected(subscriber.topic.person_id)
            self._request_refresh()
        if record is not None and _is_newer(record, shared):
            self._request_refresh()
            return
        self._clear_dirty(subscriber.topic.person_id)
        await self._publish(subscriber, shared)

    async def _publish_moved(self, subscriber: QueueSubscriber, shared: SharedSnapshot) -> None:
        person_id, record = subscriber.topic.person_id, subscriber.record
        is_in_queue = record is not None and subscriber.membership is Membership.IN_QUEUE
        if is_in_queue and record is not None and not _is_waiting(record, shared):
            # The queue was reset or lost, so the entry is read before anything is published.
            self.mark_dirty([person_id])
            self._request_refresh()
        elif person_id not in self._dirty_later and person_id not in self._dirty:
            await self._publish(subscriber, shared)

    async def _publish(self, subscriber: QueueSubscriber, shared: SharedSnapshot) -> None:
        is_sold_out = shared.is_sold_out(subscriber.membership, subscriber.number)
        stock_ahead = StockAhead.SOLD_OUT if is_sold_out else StockAhead.AVAILABLE
        snapshot = self._reader.build_queue_snapshot(shared.room_snapshot, subscriber.record, shared.stock, stock_ahead)
        has_changes = subscriber.has_changes(shared, snapshot)
        if not await self._groups.publish(subscriber.topic, snapshot, only_pending=not has_changes):
            self.mark_dirty([subscriber.topic.person_id])
        elif subscriber.is_behind(shared):
            subscriber.mark_published(shared, snapshot, now_s=time.monotonic())

    def _clear_dirty(self, person_id: PersonId) -> None:
        self._dirty.pop(person_id, None)
        self._dirty_later.pop(person_id, None)


def _is_newer(record: EntryRecord, shared: SharedSnapshot) -> bool:
    """Return whether the person joined, or the queue opened, after `shared` was read."""
    state = shared.room_snapshot.state
    was_drawn_since = record.state is EntryState.WAITING and not state.is_opened
    return was_drawn_since or (record.round, record.number or 0) > (state.round, state.positions.tail)


def _is_waiting(record: EntryRecord, shared: SharedSnapshot) -> bool:
    state = shared.room_snapshot.state
    if record.round != state.round or record.entry_id <= state.over_id:
        return False
    return record.number is None or state.positions.is_waiting(record.number)
