"""One person subscribed to their queue entry in this process.

A subscriber stores the entry that was last read and the state that was last published.
"""

import random
from math import inf

from domain.queues import EntryState
from domain.topics import QueueSnapshot, QueueTopic
from storage.hot.queues import EntryRecord
from subscriptions.publishing.shared_snapshot import Membership, SharedSnapshot

_MEMBERSHIPS = {
    EntryState.PREQUEUED: Membership.IN_QUEUE,
    EntryState.WAITING: Membership.IN_QUEUE,
    EntryState.READY: Membership.CALLED,
    EntryState.ADMITTED: Membership.CALLED,
}
MIN_SHARE, MAX_SHARE = 0.5, 0.9
"""The bounds of the random share of the push interval after which a person is due.

The share is random so that people who once received a payload together do not stay synchronized.
"""


class QueueSubscriber:
    __slots__ = (
        "_announcement",
        "_ended_entry_id",
        "_is_sold_out",
        "_published",
        "_share",
        "_version_key",
        "membership",
        "published_at_s",
        "record",
        "topic",
    )

    def __init__(self, topic: QueueTopic) -> None:
        self.topic = topic
        self.update(None)
        self._version_key = (-1, -1)
        self._ended_entry_id: int | None = None
        self._published: tuple[object, ...] = ()
        self._announcement: tuple[object, ...] = ()
        self._is_sold_out = False
        self.published_at_s = -inf
        self._share = MAX_SHARE

    def update(self, record: EntryRecord | None) -> None:
        self.record = record
        self.membership = Membership.OUTSIDE if record is None else _MEMBERSHIPS.get(record.state, Membership.OUTSIDE)

    @property
    def number(self) -> int | None:
        return self.record.number if self.record else None

    @property
    def has_ended(self) -> bool:
        return self.record is not None and self.membership is Membership.OUTSIDE

    def due_s(self, shared: SharedSnapshot) -> float:
        """Return when the person's next payload is due.

        Returns inf for an ended entry, because the payload that showed its end was the last one.
        """
        if self.has_ended or not self.is_behind(shared):
            return inf
        is_sold_out = shared.is_sold_out(self.membership, self.number)
        if is_sold_out is not self._is_sold_out or shared.announcement != self._announcement:
            return -inf
        return self.published_at_s + shared.interval_s(self.membership, self.number) * self._share

    def is_behind(self, shared: SharedSnapshot) -> bool:
        """Return whether the person has yet to receive this version.

        An estimate that changes only with time waits for the next version. The opening of a queue
        and the end of a sale, which also depend only on the clock, do not wait.
        """
        return shared.version_key != self._version_key or shared.announcement != self._announcement

    def has_changes(self, shared: SharedSnapshot, snapshot: QueueSnapshot) -> bool:
        if self.record is not None and self.has_ended and self.record.entry_id == self._ended_entry_id:
            # The end of this entry was published as its last payload.
            return False
        return self.is_behind(shared) and (shared.common, *_own_fields(snapshot)) != self._published

    def mark_published(self, shared: SharedSnapshot, snapshot: QueueSnapshot, *, now_s: float) -> None:
        """Record that the snapshot was published or would have produced the same payload."""
        self._version_key = shared.version_key
        self._ended_entry_id = self.record.entry_id if self.record is not None and self.has_ended else None
        self._published = (shared.common, *_own_fields(snapshot))
        self._announcement = shared.announcement
        self._is_sold_out = shared.is_sold_out(self.membership, self.number)
        self.published_at_s = now_s
        self._share = random.uniform(MIN_SHARE, MAX_SHARE)  # noqa: S311


def _own_fields(snapshot: QueueSnapshot) -> tuple[object, ...]:
    """Return the fields that belong to the person.

    The presence deadline is excluded, because it is not shown to a waiting person.
    """
    entry = snapshot.entry
    if entry is None or entry.queue_pass is not None or _MEMBERSHIPS.get(entry.state) is not Membership.IN_QUEUE:
        return snapshot.stock_ahead, entry
    return snapshot.stock_ahead, entry.state, entry.number, entry.position, entry.estimate, entry.lot
