"""One person who watches a line here: their entry as it was read last, and what they were shown of it."""

import random
from math import inf

from domain.queues import EntryState
from domain.topics import QueueSnapshot, QueueTopic
from storage.hot.queues import EntryRecord
from subscriptions.scene import Prospect, Scene, Stand

_STANDS = {
    EntryState.PREQUEUED: Stand.IN_LINE,
    EntryState.WAITING: Stand.IN_LINE,
    EntryState.READY: Stand.CALLED,
    EntryState.ADMITTED: Stand.CALLED,
}
SOONEST, LATEST = 0.5, 0.9
"""Of the time that something may be behind: those who were shown something together are not due together for ever."""


class Standing:
    __slots__ = (
        "_announcement",
        "_at",
        "_ended",
        "_is_sold_out",
        "_seen",
        "_share",
        "looked_at",
        "record",
        "stand",
        "topic",
    )

    def __init__(self, topic: QueueTopic) -> None:
        self.topic = topic
        self.note(None)
        self._at = (-1, -1)
        self._ended: int | None = None
        self._seen: tuple[object, ...] = ()
        self._announcement: tuple[object, ...] = ()
        self._is_sold_out = False
        self.looked_at = -inf
        self._share = LATEST

    def note(self, record: EntryRecord | None) -> None:
        self.record = record
        self.stand = Stand.OUTSIDE if record is None else _STANDS.get(record.state, Stand.OUTSIDE)

    @property
    def is_over(self) -> bool:
        return self.record is not None and self.stand is Stand.OUTSIDE

    def prospect(self, scene: Scene) -> Prospect:
        return scene.prospect(self.stand, self.record.number if self.record else None)

    def due_s(self, scene: Scene) -> float:
        """From when on what they see may not be any older. What an ended place was shown was its last."""
        if self.is_over or not self.is_behind(scene):
            return inf
        behind_s, is_sold_out = self.prospect(scene)
        if is_sold_out is not self._is_sold_out or scene.announcement != self._announcement:
            return -inf
        return self.looked_at + behind_s * self._share

    def is_behind(self, scene: Scene) -> bool:
        """Whether they have seen nothing of this version. An estimate that moves by itself waits for the next one; an
        opening and an end, which come by the clock, do not."""
        return scene.at != self._at or scene.announcement != self._announcement

    def sees_news(self, scene: Scene, snapshot: QueueSnapshot) -> bool:
        if self.record is not None and self.is_over and self.record.entry_id == self._ended:
            # What they were shown of its end was its last.
            return False
        return self.is_behind(scene) and (scene.common, *_own(snapshot)) != self._seen

    def saw(self, scene: Scene, snapshot: QueueSnapshot, *, now_s: float) -> None:
        """It was shown to them, or would have been the same again."""
        self._at = scene.at
        self._ended = self.record.entry_id if self.record is not None and self.is_over else None
        self._seen = (scene.common, *_own(snapshot))
        self._announcement = scene.announcement
        _, self._is_sold_out = self.prospect(scene)
        self.looked_at = now_s
        self._share = random.uniform(SOONEST, LATEST)


def _own(snapshot: QueueSnapshot) -> tuple[object, ...]:
    """Of what somebody is shown, what is theirs. Until when they may be silent is nothing they see while they wait."""
    entry = snapshot.entry
    if entry is None or entry.queue_pass is not None or _STANDS.get(entry.state) is not Stand.IN_LINE:
        return snapshot.stock_ahead, entry
    return snapshot.stock_ahead, entry.state, entry.number, entry.position, entry.estimate, entry.lot
