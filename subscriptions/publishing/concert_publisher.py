"""Refreshes the snapshot of one concert and publishes it to all its subscribers in this process.

A start, a gap, a new epoch and a tick all take the same path: read, compare with the last published
state, publish. A hint only brings the next refresh forward; if no hint arrives, a refresh takes
place about once a second. The number of commands per refresh grows with the number of changes among
the people connected to this process, not with the length of the queue.
"""

import asyncio
import logging
import time
from math import inf

from domain.errors import OnsaleError, TemporarilyUnavailable, describe_cause
from domain.ids import ConcertId
from domain.topics import HoldsTopic, QueueTopic, Topic
from storage.hot.queue_state import QueueState
from subscriptions.interfaces import PresenceStore, SnapshotReader
from subscriptions.publishing.hold_publisher import HoldPublisher
from subscriptions.publishing.presence import Presence
from subscriptions.publishing.push_intervals import PushIntervals
from subscriptions.publishing.queue_publisher import QueuePublisher
from subscriptions.publishing.room_publisher import RoomPublisher
from subscriptions.publishing.shared_snapshot import SharedSnapshot
from subscriptions.publishing.subscriber_groups import Subscriber, SubscriberGroups
from telemetry import metrics
from telemetry.outage_log import OutageLog

log = logging.getLogger(__name__)

MAX_REFRESH_INTERVAL_S = 0.9
"""At this interval, a published waiting room is at most a second old, including the refresh."""
NOTHING_READ = (-1, -1)
AFTER_EVERY_VERSION = 2**53
"""A version that no concert reaches. It selects no changes; all entries are read anyway."""


class ConcertPublisher:
    """The publisher of one concert.

    The hub owns `run`, which ends when no subscriber is left and all disconnections have been
    reported to the store.
    """

    def __init__(
        self,
        concert_id: ConcertId,
        reader: SnapshotReader,
        presence_store: PresenceStore,
        *,
        tick_s: float,
        push_intervals: PushIntervals,
        outage: OutageLog,
        loop_share: float = 1.0,
    ) -> None:
        """Create a publisher whose refreshes begin at least `tick_s` apart, and take at most
        `loop_share` of the time.
        """
        self._concert_id = concert_id
        self._reader = reader
        self._tick_s = tick_s
        self._loop_share = loop_share
        self._push_intervals = push_intervals
        self._outage = outage
        self._wake = asyncio.Event()
        self._groups = SubscriberGroups()
        self._presence = Presence(concert_id, presence_store)
        self._room = RoomPublisher(concert_id, self._groups)
        self._holds = HoldPublisher(concert_id, reader, self._groups)
        self._queue = QueuePublisher(
            concert_id, reader, self._groups, presence=self._presence, request_refresh=self._wake.set
        )
        self._last_state: QueueState | None = None
        self._read_version = NOTHING_READ
        """The epoch and the version that were read last."""

    def add(self, subscriber: Subscriber) -> None:
        self._groups.add(subscriber)
        match subscriber.source.topic:
            case QueueTopic() as topic:
                self._queue.add(topic)
            case HoldsTopic(person_id=person_id):
                self._holds.add(person_id)
        self._wake.set()

    def remove(self, subscriber: Subscriber) -> None:
        topic = subscriber.source.topic
        had_subscribers = self._groups.has_subscribers(topic)
        self._groups.remove(subscriber)
        if had_subscribers and not self._groups.has_subscribers(topic):
            self._remove_topic(topic)
        elif isinstance(topic, QueueTopic):
            self._queue.remove_recipients(topic.person_id)
        if self.is_idle or not self._presence.is_synced:
            self._wake.set()

    def on_hint(self, message: str) -> None:
        """Refresh soon, after a hint or a gap in the feed.

        The refresh reads all changes since the last one.
        """
        if not self.has_read(message):
            metrics.unsent_pushes.began(self)
            self._wake.set()

    def has_read(self, message: str) -> bool:
        """Return whether the last read included the change of this hint, `epoch:version`.

        Another message, such as GAP or the hint of an earlier release, may mean any change.
        """
        epoch, _, version = message.partition(":")
        return epoch.isdecimal() and version.isdecimal() and (int(epoch), int(version)) <= self._read_version

    @property
    def is_idle(self) -> bool:
        return not self._groups and self._presence.is_synced

    async def run(self) -> None:
        try:
            await self._run()
        finally:
            metrics.unsent_pushes.ended(self)

    async def _run(self) -> None:
        while not self.is_idle:
            started_s = time.monotonic()
            # This refresh may miss a later change, but that change triggers the next refresh.
            self._wake.clear()
            try:
                await self.run_once()
                self._record_push()
                self._outage.succeeded(self._concert_id)
            except TemporarilyUnavailable as error:
                self._outage.failed(self._concert_id, error)
                self._fail(error)
            except OnsaleError as error:
                # Any client can cause this by subscribing to a concert that does not exist.
                log.debug("concert %s cannot be published: %s", self._concert_id, describe_cause(error))
                self._fail(error)
            except Exception as error:
                log.exception("publishing concert %s failed", self._concert_id)
                self._fail(error)
            took_s = time.monotonic() - started_s
            await asyncio.sleep(pause_after(took_s, tick_s=self._tick_s, loop_share=self._loop_share))
            await self._wait(until_s=min(started_s + MAX_REFRESH_INTERVAL_S, self._queue.next_due_s))

    def _record_push(self) -> None:
        """Record that all changes before this refresh have been pushed."""
        took_s = metrics.unsent_pushes.ended(self)
        if took_s is not None:
            metrics.push_seconds.observe(took_s)
        if self._wake.is_set():
            # A change, or a subscriber, came during the refresh.
            metrics.unsent_pushes.began(self)

    def _fail(self, error: Exception) -> None:
        # What was read may not have been published, so the next hint counts.
        self._read_version = NOTHING_READ
        self._groups.fail_pending(error)

    async def run_once(self) -> None:
        """Report connected people to the store, and publish the changes since the last refresh."""
        await self._presence.sync()
        if not self._presence.is_synced:
            self._wake.set()
        if self._groups:
            await self._refresh()

    async def _wait(self, *, until_s: float) -> None:
        if self.is_idle:
            return
        try:
            async with asyncio.timeout(until_s - time.monotonic()):
                await self._wake.wait()
        except TimeoutError:
            pass

    async def _refresh(self) -> None:
        self._queue.next_due_s = inf
        self._mark_dirty(self._groups.begin_refresh())
        last = self._last_state
        snapshot = await self._reader.read_snapshot(
            self._concert_id, after=AFTER_EVERY_VERSION if last is None else last.version
        )
        now, changes = snapshot.room_snapshot.state, snapshot.changes
        self._read_version = (now.epoch, now.version)
        if last is not None and now.epoch < last.epoch:
            return
        is_new_epoch = last is None or now.epoch > last.epoch
        if is_new_epoch:
            self._presence.resync_all()
        if is_new_epoch or not changes.is_complete:
            self._queue.mark_all_dirty()
            self._holds.mark_all_dirty()
        else:
            self._queue.mark_dirty(changes.people)
            self._holds.mark_dirty(changes.people)
        if last is not None:
            self._mark_queue_wide_changes(last, now)
        shared = SharedSnapshot.build(snapshot.room_snapshot, snapshot.stock, self._push_intervals)
        # Personal snapshots are published first, because an organizer's selection may read from a
        # slow database.
        await self._queue.refresh(shared)
        await self._holds.refresh(shared.version_key)
        await self._room.refresh(shared)
        self._last_state = now

    def _mark_dirty(self, topics: list[Topic]) -> None:
        self._queue.mark_dirty(topic.person_id for topic in topics if isinstance(topic, QueueTopic))
        self._holds.mark_dirty(topic.person_id for topic in topics if isinstance(topic, HoldsTopic))

    def _mark_queue_wide_changes(self, last: QueueState, now: QueueState) -> None:
        """Mark people affected by a change to the queue that was not written to their records."""
        if (last.round, last.is_opened, last.over_id) != (now.round, now.is_opened, now.over_id):
            # The queue was reset or opened, or its sale ended, so every entry may have a new state
            # and number.
            self._queue.mark_all_dirty()
        if now.grace_until_ms > last.grace_until_ms:
            self._queue.mark_called_dirty()
            self._holds.mark_all_dirty()

    def _remove_topic(self, topic: Topic) -> None:
        match topic:
            case QueueTopic(person_id=person_id):
                self._queue.remove(person_id)
            case HoldsTopic(person_id=person_id):
                self._holds.remove(person_id)


def pause_after(took_s: float, *, tick_s: float, loop_share: float) -> float:
    """Return the seconds to wait after a refresh that took `took_s`.

    Refreshes begin at least `tick_s` apart, and take at most `loop_share` of the time.
    """
    return max(0.0, tick_s - took_s, took_s / loop_share - took_s)
