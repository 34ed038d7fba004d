"""Publishes queue snapshots to people who are subscribed to their entries in one queue.

A change to a person's own entry is published immediately; movement of the queue is published within
the person's push interval. Entries are read in batches and only for dirty people.

If a person's entry has not changed, publishing takes a short path: the numbers of the entry are
computed from the shared snapshot and written into the person's payload. Everything else takes the
long path, over a snapshot of the person and the subscriber groups.
"""

import logging
import time
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from math import inf

from domain.ids import ConcertId, PersonId
from domain.queues import EntryState
from domain.stock import StockAhead
from domain.topics import NO_NUMBERS, QueueSnapshot, QueueTopic
from storage.hot.queues import EntryRecord
from storage.time_slice import MAX_PUSH_SLICE_S, MAX_PUSH_STEPS, TimeSlice
from subscriptions.interfaces import Rendered, SnapshotReader
from subscriptions.publishing.presence import Presence
from subscriptions.publishing.push_schedule import PushSchedule
from subscriptions.publishing.queue_subscriber import QueueSubscriber, Recipient
from subscriptions.publishing.shared_snapshot import Membership, SharedSnapshot
from subscriptions.publishing.subscriber_groups import SubscriberGroups

log = logging.getLogger(__name__)

BATCH = 250
"""The number of entries in one command. Other tasks wait for about 3 ms while they are parsed."""
MAX_READ_PER_REFRESH = 1_000
"""The maximum number of entries that one refresh reads if all entries have to be read."""
MAX_PER_REFRESH = 8_000
"""The maximum number of people with unchanged entries to whom one refresh publishes.

The rest wait for the next refresh, which publishes to dirty people first. A person who becomes
dirty during a refresh waits for about 0.15 s.
"""
RENDER_COST = 20
"""A payload that is rendered, such as a called person's, counts as this many that are written."""


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
        self._schedule = PushSchedule()
        self._dirty: dict[PersonId, None] = {}
        self._dirty_later: dict[PersonId, None] = {}
        self.next_due_s = inf
        """The earliest time at which a person who has not received the current version is due."""

    def add(self, topic: QueueTopic) -> None:
        self._schedule.add(topic)

    def remove(self, person_id: PersonId) -> None:
        self._schedule.remove(person_id)
        self._clear_dirty(person_id)
        self._presence.disconnected(person_id)

    def remove_recipients(self, person_id: PersonId) -> None:
        """Render the next payload of this person, because one of their subscriptions has closed."""
        subscriber = self._schedule.get(person_id)
        if subscriber is not None:
            subscriber.recipients = ()

    def mark_dirty(self, people: Iterable[PersonId]) -> None:
        """Mark these people, so that the next refresh reads their entries."""
        self._dirty.update((person_id, None) for person_id in people if person_id in self._schedule)

    def mark_all_dirty(self) -> None:
        """Mark all subscribers. Each refresh reads some of their entries."""
        self._dirty_later.update((subscriber.topic.person_id, None) for subscriber in self._schedule)

    def mark_called_dirty(self) -> None:
        """Mark called people, because their deadlines may have been extended."""
        self.mark_dirty([one.topic.person_id for one in self._schedule if one.membership is Membership.CALLED])

    async def refresh(self, shared: SharedSnapshot) -> None:
        began_s = time.monotonic()
        shared = self._schedule.begin_version(shared, began_s)
        await self._publish_dirty(list(self._dirty), shared)
        await self._publish_dirty(list(islice(self._dirty_later, MAX_READ_PER_REFRESH)), shared)
        if self._dirty_later:
            self._request_refresh()
        due, self.next_due_s = await self._schedule.find_due(shared, began_s)
        await self._publish_due([one for one in due if not self._is_dirty(one)], shared)

    async def _publish_due(self, due: list[QueueSubscriber], shared: SharedSnapshot) -> None:
        if len(due) > MAX_PER_REFRESH // RENDER_COST:
            # After announcements, the people who have waited longest are served first, so that no
            # person waits forever.
            due.sort(key=lambda subscriber: (subscriber.has_announcement(shared), subscriber.published_at_s))
        left, time_slice = MAX_PER_REFRESH, TimeSlice(max_s=MAX_PUSH_SLICE_S, max_steps=MAX_PUSH_STEPS)
        for subscriber in due:
            if left <= 0:
                self._request_refresh()
                return
            if self._write(subscriber, shared):
                left -= 1
            else:
                await self._publish_moved(subscriber, shared)
                left -= RENDER_COST
            await time_slice.checkpoint()

    async def _publish_dirty(self, people: Sequence[PersonId], shared: SharedSnapshot) -> None:
        for first in range(0, len(people), BATCH):
            batch = people[first : first + BATCH]
            records = await self._reader.read_entries(self._concert_id, batch)
            time_slice = TimeSlice(max_s=MAX_PUSH_SLICE_S, max_steps=MAX_PUSH_STEPS)
            for person_id in batch:
                subscriber = self._schedule.get(person_id)
                if subscriber is None:
                    self._clear_dirty(person_id)
                else:
                    await self._publish_updated(subscriber, records.get(person_id), shared)
                await time_slice.checkpoint()

    async def _publish_updated(
        self, subscriber: QueueSubscriber, record: EntryRecord | None, shared: SharedSnapshot
    ) -> None:
        before, membership_before = subscriber.record, subscriber.membership
        self._schedule.update(subscriber, record)
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

    def _write(self, subscriber: QueueSubscriber, shared: SharedSnapshot) -> bool:
        """Publish the numbers of an unchanged entry without rendering.

        Returns False if that is not possible.
        """
        recipients, record = subscriber.recipients, subscriber.record
        if not recipients:
            return False
        numbers = NO_NUMBERS if record is None else shared.numbers_of(record)
        if numbers is None:
            return False
        is_sold_out = shared.is_sold_out(subscriber.membership, subscriber.number)
        common = shared.without_entry[is_sold_out]
        moving = common.stock_ahead, numbers
        if subscriber.has_moved(shared, moving):
            payloads: list[Rendered] = []
            for recipient in recipients:
                payload = recipient.writer.write(common, numbers)
                if payload is None:
                    return False
                payloads.append(payload)
            for recipient, payload in zip(recipients, payloads, strict=True):
                try:
                    recipient.deliver(payload)
                except Exception:
                    log.exception("a queue payload could not be delivered")
        subscriber.mark_moved(shared, moving, is_sold_out=is_sold_out, now_s=time.monotonic())
        return True

    async def _publish_moved(self, subscriber: QueueSubscriber, shared: SharedSnapshot) -> None:
        record, person_id = subscriber.record, subscriber.topic.person_id
        if self._schedule.get(person_id) is not subscriber:
            return
        is_in_queue = subscriber.membership is Membership.IN_QUEUE
        if is_in_queue and record is not None and shared.numbers_of(record) is None:
            # The queue was reset or lost, so the entry is read before anything is published.
            self.mark_dirty([person_id])
            self._request_refresh()
        else:
            await self._publish(subscriber, shared)

    def _is_dirty(self, subscriber: QueueSubscriber) -> bool:
        person_id = subscriber.topic.person_id
        return person_id in self._dirty or person_id in self._dirty_later

    async def _publish(self, subscriber: QueueSubscriber, shared: SharedSnapshot) -> None:
        is_sold_out = shared.is_sold_out(subscriber.membership, subscriber.number)
        stock_ahead = StockAhead.SOLD_OUT if is_sold_out else StockAhead.AVAILABLE
        snapshot = self._reader.build_queue_snapshot(shared.room_snapshot, subscriber.record, shared.stock, stock_ahead)
        has_changes = subscriber.has_changes(shared, snapshot)
        if not await self._groups.publish(subscriber.topic, snapshot, only_pending=not has_changes):
            self.mark_dirty([subscriber.topic.person_id])
            return
        if subscriber.is_behind(shared):
            subscriber.mark_published(shared, snapshot, now_s=time.monotonic())
        else:
            subscriber.reschedule(shared)
        subscriber.recipients = self._find_recipients(subscriber, snapshot)

    def _find_recipients(self, subscriber: QueueSubscriber, snapshot: QueueSnapshot) -> tuple[Recipient, ...]:
        """Return the recipients, or none if not all subscriptions of the person have a writer."""
        if subscriber.membership is Membership.CALLED or subscriber.has_ended:
            return ()
        recipients: list[Recipient] = []
        for one in self._groups.subscribers(subscriber.topic):
            writer = one.source.entry_writer(snapshot)
            if writer is None or one.is_pending:
                return ()
            recipients.append(Recipient(writer, one.deliver))
        return tuple(recipients)

    def _clear_dirty(self, person_id: PersonId) -> None:
        self._dirty.pop(person_id, None)
        self._dirty_later.pop(person_id, None)


def _is_newer(record: EntryRecord, shared: SharedSnapshot) -> bool:
    """Return whether the entry changed, or the queue opened, after `shared` was read. The next
    version shows the change: each version shows the entry as a read at that version would.
    """
    state = shared.room_snapshot.state
    if record.epoch == state.epoch and record.changed_version > state.version:
        return True
    was_drawn_since = record.state is EntryState.WAITING and not state.is_opened
    return was_drawn_since or (record.round, record.number or 0) > (state.round, state.positions.tail)
