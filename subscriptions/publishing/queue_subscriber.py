"""One person subscribed to their queue entry in this process.

A subscriber stores the entry that was last read and the state that was last published.
"""

import random
from dataclasses import dataclass
from math import inf
from typing import TypeAlias

from domain.queues import EntryState
from domain.stock import StockAhead
from domain.topics import NO_NUMBERS, EntryNumbers, QueueSnapshot, QueueTopic
from storage.hot.queues import EntryRecord
from subscriptions.interfaces import Deliver, EntryWriter
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

Moving: TypeAlias = tuple[StockAhead, EntryNumbers]
"""The fields of a person that a refresh may change without a change to the person's entry."""


@dataclass(frozen=True, slots=True)
class Recipient:
    """One subscription of the person, whose payloads need no execution."""

    writer: EntryWriter
    deliver: Deliver


class QueueSubscriber:
    __slots__ = (
        "_announcement",
        "_common",
        "_ended_entry_id",
        "_fixed",
        "_is_sold_out",
        "_moving",
        "_share",
        "_version_key",
        "due_s",
        "membership",
        "number",
        "published_at_s",
        "recipients",
        "record",
        "topic",
    )

    def __init__(self, topic: QueueTopic) -> None:
        self.topic = topic
        self.recipients: tuple[Recipient, ...] = ()
        """All subscriptions of the person, or none if a payload must be rendered."""
        self._version_key = (-1, -1)
        self._announcement: tuple[object, ...] = ()
        self._common: tuple[object, ...] = ()
        self._moving: Moving | None = None
        self._fixed: object = None
        self._ended_entry_id: int | None = None
        self._is_sold_out = False
        self._share = MAX_SHARE
        self.published_at_s = -inf
        self.due_s = -inf
        """When the next payload is due, if the person has yet to receive the version.

        It is inf for an ended entry, because the payload that showed its end was the last one.
        """
        self.update(None)

    def update(self, record: EntryRecord | None) -> None:
        self.record = record
        self.membership = Membership.OUTSIDE if record is None else _MEMBERSHIPS.get(record.state, Membership.OUTSIDE)
        self.number = record.number if record else None
        self.recipients = ()

    @property
    def has_ended(self) -> bool:
        return self.record is not None and self.membership is Membership.OUTSIDE

    def make_due(self) -> None:
        if not self.has_ended:
            self.due_s = -inf

    def reschedule(self, shared: SharedSnapshot) -> None:
        """Compute `due_s` again, because the interval or the forecast for this person may have
        changed.
        """
        if self.has_ended:
            self.due_s = inf
        elif self.due_s == -inf or shared.is_sold_out(self.membership, self.number) is not self._is_sold_out:
            self.due_s = -inf
        else:
            self.due_s = self.published_at_s + shared.interval_s(self.membership, self.number) * self._share

    def has_announcement(self, shared: SharedSnapshot) -> bool:
        """Return whether the person has received the fields that everyone receives immediately."""
        return self._announcement is shared.announcement or self._announcement == shared.announcement

    def is_behind(self, shared: SharedSnapshot) -> bool:
        """Return whether the person has yet to receive this version.

        An estimate that changes only with time waits for the next version. The opening of a queue
        and the end of a sale, which also depend only on the clock, do not wait.
        """
        # Usually, both are the same objects, because `SharedSnapshot.reuse` keeps equal ones.
        return self._version_key != shared.version_key or not self.has_announcement(shared)

    def has_changes(self, shared: SharedSnapshot, snapshot: QueueSnapshot) -> bool:
        if self.record is not None and self.has_ended and self.record.entry_id == self._ended_entry_id:
            # The end of this entry was published as its last payload.
            return False
        return self.is_behind(shared) and (
            self.has_moved(shared, _moving_fields(snapshot)) or _fixed_fields(snapshot) != self._fixed
        )

    def has_moved(self, shared: SharedSnapshot, moving: Moving | None) -> bool:
        """Return whether a payload would differ from the last one, if the entry is the same."""
        common = self._common
        if common is shared.outdated_common:
            return True
        return moving != self._moving or (common is not shared.common and common != shared.common)

    def mark_published(self, shared: SharedSnapshot, snapshot: QueueSnapshot, *, now_s: float) -> None:
        """Record that the snapshot was published or would have produced the same payload."""
        self._ended_entry_id = self.record.entry_id if self.record is not None and self.has_ended else None
        self._fixed = _fixed_fields(snapshot)
        is_sold_out = shared.is_sold_out(self.membership, self.number)
        self.mark_moved(shared, _moving_fields(snapshot), is_sold_out=is_sold_out, now_s=now_s)
        if self.has_ended:
            self.due_s = inf

    def mark_moved(self, shared: SharedSnapshot, moving: Moving | None, *, is_sold_out: bool, now_s: float) -> None:
        """Record the same for a person whose entry has not changed since the last payload."""
        self._version_key = shared.version_key
        self._announcement = shared.announcement
        self._common = shared.common
        self._moving = moving
        self._is_sold_out = is_sold_out
        self._share = MIN_SHARE + (MAX_SHARE - MIN_SHARE) * random.random()  # noqa: S311
        self.published_at_s = now_s
        self.due_s = now_s + shared.interval_s(self.membership, self.number) * self._share


def _moving_fields(snapshot: QueueSnapshot) -> Moving | None:
    """Return the fields that may move; None for an entry that is not waiting."""
    entry = snapshot.entry
    if entry is None:
        return snapshot.stock_ahead, NO_NUMBERS
    if entry.queue_pass is not None or _MEMBERSHIPS.get(entry.state) is not Membership.IN_QUEUE:
        return None
    p50_s, p90_s = (entry.estimate.p50_s, entry.estimate.p90_s) if entry.estimate else (None, None)
    return snapshot.stock_ahead, EntryNumbers(entry.number, entry.position, p50_s, p90_s)


def _fixed_fields(snapshot: QueueSnapshot) -> object:
    """Return the other fields that belong to the person.

    The presence deadline is excluded, because it is not shown to a waiting person.
    """
    entry = snapshot.entry
    if entry is None or _moving_fields(snapshot) is None:
        return snapshot.stock_ahead if entry else None, entry
    return entry.entry_id, entry.round, entry.state, entry.lot
