"""Watches one concert for all who watch it here: a hint wakes it, it reads one snapshot, and shows what changed.

Start, gap, new epoch and tick are the same path: read, compare with what was shown last, show. Hints only make it
fast; without any it looks once a second. The number of commands grows with the news of its own people, not with them.
"""

import asyncio
import logging
import time
from math import inf

from domain.errors import OnsaleError
from domain.ids import ConcertId
from domain.topics import HoldsTopic, QueueTopic, Topic
from storage.hot.queues import QueueState
from subscriptions.attachments import Attachments
from subscriptions.bands import Bands
from subscriptions.hold_watch import HoldWatch
from subscriptions.line_watch import LineWatch
from subscriptions.reader import Liveness, Reader
from subscriptions.room_watch import RoomWatch
from subscriptions.scene import Scene
from subscriptions.watchers import Member, Watchers

log = logging.getLogger(__name__)

LOOK_ANYWAY_S = 0.9
"""From one look to the next: what is shown of a room is at most a second old, the look itself included."""
NOBODY = 2**53
"""A version nothing has reached: where everybody is read anyway, nobody has to be named."""


class ConcertWatch:
    """`run` is owned by the hub and ends by itself when nobody watches any more and the store was told so."""

    def __init__(
        self, concert_id: ConcertId, reader: Reader, liveness: Liveness, *, tick_s: float, bands: Bands
    ) -> None:
        self._concert_id = concert_id
        self._reader = reader
        self._tick_s = tick_s
        self._bands = bands
        self._wake = asyncio.Event()
        self._watchers = Watchers()
        self._attachments = Attachments(concert_id, liveness)
        self._room = RoomWatch(concert_id, self._watchers)
        self._holds = HoldWatch(concert_id, reader, self._watchers)
        self._line = LineWatch(
            concert_id, reader, self._watchers, attachments=self._attachments, look_again=self._wake.set
        )
        self._last: QueueState | None = None

    def add(self, member: Member) -> None:
        self._watchers.add(member)
        match member.source.topic:
            case QueueTopic() as topic:
                self._line.come(topic)
            case HoldsTopic(person_id=person_id):
                self._holds.come(person_id)
        self._wake.set()

    def remove(self, member: Member) -> None:
        topic = member.source.topic
        was_watched = self._watchers.is_watched(topic)
        self._watchers.remove(member)
        if was_watched and not self._watchers.is_watched(topic):
            self._forget(topic)
        self._wake.set()

    def notice(self, _message: str) -> None:
        """A hint, or a gap: either way the next look reads all that is new since the last one."""
        self._wake.set()

    @property
    def is_idle(self) -> bool:
        return not self._watchers and self._attachments.is_said

    async def run(self) -> None:
        while not self.is_idle:
            started_s = time.monotonic()
            # Whatever happens from here on may be missed by this look, and wakes the next one.
            self._wake.clear()
            try:
                await self._attachments.say()
                if not self._attachments.is_said:
                    self._wake.set()
                if self._watchers:
                    await self._look()
            except OnsaleError as error:
                self._refuse_fresh(error)
            except Exception as error:
                log.exception("watching concert %s failed", self._concert_id)
                self._refuse_fresh(error)
            took_s = time.monotonic() - started_s
            # Showing never takes more than half of the loop: under load there are fewer pushes, not slower holds.
            await asyncio.sleep(max(self._tick_s - took_s, took_s))
            await self._wait(until_s=min(started_s + LOOK_ANYWAY_S, self._line.next_s))

    async def _wait(self, *, until_s: float) -> None:
        if self.is_idle:
            return
        try:
            async with asyncio.timeout(until_s - time.monotonic()):
                await self._wake.wait()
        except TimeoutError:
            pass

    async def _look(self) -> None:
        self._line.next_s = inf
        self._tell(self._watchers.make_due())
        view, stock = await asyncio.gather(self._reader.room(self._concert_id), self._reader.stock(self._concert_id))
        last, now = self._last, view.state
        if last is not None and now.epoch < last.epoch:
            return
        is_new_epoch = last is None or now.epoch > last.epoch
        # After the line was read: whoever changed by its version is named.
        known = NOBODY if last is None or is_new_epoch else last.version
        changes = await self._reader.changes(self._concert_id, after=known)
        if is_new_epoch:
            self._attachments.say_all_again()
        if is_new_epoch or not changes.is_complete:
            self._line.tell_all()
            self._holds.tell_all()
        else:
            self._line.tell(changes.people)
            self._holds.tell(changes.people)
        if last is not None:
            self._tell_what_nobody_is_named_for(last, now)
        scene = Scene.of(view, stock, self._bands)
        # What is somebody's own comes first: who runs the room may ask for what a database is slow to answer.
        await self._line.look(scene)
        await self._holds.look()
        await self._room.look(scene)
        self._last = now

    def _tell(self, topics: list[Topic]) -> None:
        self._line.tell(topic.person_id for topic in topics if isinstance(topic, QueueTopic))
        self._holds.tell(topic.person_id for topic in topics if isinstance(topic, HoldsTopic))

    def _tell_what_nobody_is_named_for(self, last: QueueState, now: QueueState) -> None:
        if (last.round, last.is_opened) != (now.round, now.is_opened):
            # The line was emptied, or opened: everybody may have another state, and a number.
            self._line.tell_all()
        if now.grace_until_ms > last.grace_until_ms:
            self._line.tell_called()
            self._holds.tell_all()

    def _refuse_fresh(self, error: Exception) -> None:
        for member in self._watchers.fresh():
            member.first.set_exception(error)

    def _forget(self, topic: Topic) -> None:
        match topic:
            case QueueTopic(person_id=person_id):
                self._line.go(person_id)
            case HoldsTopic(person_id=person_id):
                self._holds.go(person_id)
