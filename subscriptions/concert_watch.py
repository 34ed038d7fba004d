"""Watches one concert for all who watch it here: a hint wakes it, it reads one snapshot, and shows what changed.

Start, gap, new epoch and tick are the same path: read, compare with what was shown last, show. Hints only make it
fast; without any it looks once a second. The number of commands grows with the news of its own people, not with them.
"""

import asyncio
import logging
import time
from collections.abc import Collection
from dataclasses import replace

from domain.errors import OnsaleError
from domain.holds import EndReason, Hold, HoldState
from domain.ids import ConcertId, HoldId, PersonId
from domain.stock import Stock
from domain.topics import HoldsTopic, LineSnapshot, LineTopic, StockTopic
from storage.queues import EntryRecord
from subscriptions.attachments import Attachments
from subscriptions.feed import GAP
from subscriptions.reader import Liveness, Reader, RoomView
from subscriptions.watchers import Member, Watchers

log = logging.getLogger(__name__)

LOOK_ANYWAY_S = 1.0
NOBODY = 2**53
"""A version nothing has reached: where everybody is read anyway, nobody has to be named."""
BATCH = 1_000
BREATH = 50
"""After so many people the loop lets others have a turn."""


class ConcertWatch:
    """`run` is owned by the hub and ends by itself when nobody watches any more and the store was told so."""

    def __init__(self, concert_id: ConcertId, reader: Reader, liveness: Liveness, *, tick_s: float) -> None:
        self._concert_id = concert_id
        self._reader = reader
        self._tick_s = tick_s
        self._watchers = Watchers()
        self._attachments = Attachments(concert_id, liveness)
        self._wake = asyncio.Event()
        self._epoch = -1
        self._version = 0
        self._is_gap = True
        self._was_noticed = False
        self._stock: Stock | None = None
        self._records: dict[PersonId, EntryRecord] = {}
        self._shown: dict[PersonId, LineSnapshot] = {}
        self._holds: dict[PersonId, dict[HoldId, Hold]] = {}

    def add(self, member: Member) -> None:
        topic = member.source.topic
        if isinstance(topic, LineTopic) and not self._watchers.is_watched(topic):
            self._attachments.come(topic.person_id)
        self._watchers.add(member)
        self._wake.set()

    def remove(self, member: Member) -> None:
        topic = member.source.topic
        was_watched = self._watchers.is_watched(topic)
        self._watchers.remove(member)
        if was_watched and not self._watchers.is_watched(topic):
            self._forget(topic)
        self._wake.set()

    def notice(self, message: str) -> None:
        """A hint, or a gap."""
        self._is_gap |= message == GAP
        self._was_noticed |= message == GAP
        self._wake.set()

    @property
    def is_idle(self) -> bool:
        return not self._watchers and self._attachments.is_said

    async def run(self) -> None:
        while not self.is_idle:
            started = time.monotonic()
            try:
                await self._attachments.say()
                if self._watchers:
                    await self._look()
            except OnsaleError as error:
                self._refuse_fresh(error)
            except Exception as error:
                log.exception("watching concert %s failed", self._concert_id)
                self._refuse_fresh(error)
            took_s = time.monotonic() - started
            # Showing never takes more than half of the loop: under load there are fewer pushes, not slower holds.
            await asyncio.sleep(max(self._tick_s - took_s, took_s))
            await self._wait()

    async def _wait(self) -> None:
        if self.is_idle:
            return
        try:
            async with asyncio.timeout(LOOK_ANYWAY_S):
                await self._wake.wait()
        except TimeoutError:
            pass
        self._wake.clear()

    async def _look(self) -> None:
        is_gap, self._is_gap = self._is_gap, True
        self._watchers.make_due()
        in_line, with_holds = self._watchers.people_in_line(), self._watchers.people_with_holds()
        fresh = {person for person in in_line | with_holds if self._is_fresh(person)}
        view, stock = await asyncio.gather(self._reader.room(self._concert_id), self._reader.stock(self._concert_id))
        # After the line was read: whoever changed by its version is named.
        changes = await self._reader.changes(self._concert_id, after=NOBODY if is_gap else self._version)
        if view.room.epoch >= self._epoch:
            is_new_epoch = view.room.epoch != self._epoch
            if is_new_epoch:
                self._attachments.say_all_again()
            is_all = is_new_epoch or is_gap or not changes.is_complete
            news = in_line | with_holds if is_all else fresh | set(changes.people)
            await self._read_entries(news & in_line)
            await self._show_stock(stock)
            await self._show_line(in_line, view, stock)
            await self._show_holds(news & with_holds)
            self._epoch, self._version = view.room.epoch, view.room.version
        # Only now: what a failure kept from being shown is a gap. One that was noticed meanwhile has woken us already.
        self._is_gap = self._was_noticed
        self._was_noticed = False

    def _is_fresh(self, person_id: PersonId) -> bool:
        topics = (LineTopic(self._concert_id, person_id), HoldsTopic(self._concert_id, person_id))
        return any(self._watchers.has_fresh(topic) for topic in topics)

    async def _read_entries(self, people: Collection[PersonId]) -> None:
        asked = list(people)
        for first in range(0, len(asked), BATCH):
            part = asked[first : first + BATCH]
            found = await self._reader.entries(self._concert_id, part)
            for person_id in part:
                self._note(person_id, found.get(person_id))

    def _note(self, person_id: PersonId, record: EntryRecord | None) -> None:
        if not self._watchers.is_watched(LineTopic(self._concert_id, person_id)):
            # Their last socket closed while this was being read.
            return
        before = self._records.pop(person_id, None)
        if record is None:
            return
        self._records[person_id] = record
        if before is None or before.number != record.number:
            # A new entry does not know yet that its person is here.
            self._attachments.come(person_id)
            self._wake.set()

    async def _show_stock(self, stock: Stock) -> None:
        is_changed = self._stock is None or (stock.epoch, stock.tiers) != (self._stock.epoch, self._stock.tiers)
        if await self._watchers.show(StockTopic(self._concert_id), stock, only_fresh=not is_changed):
            self._stock = stock

    async def _show_line(self, people: Collection[PersonId], view: RoomView, stock: Stock) -> None:
        for count, person_id in enumerate(people):
            if not self._watchers.is_watched(LineTopic(self._concert_id, person_id)):
                continue
            record = self._records.get(person_id)
            if record is not None and record.number > view.line.tail:
                # Joined after the line was read: next time.
                self._wake.set()
                continue
            snapshot = self._reader.show(view, record, stock)
            is_changed = not _is_same(self._shown.get(person_id), snapshot)
            topic = LineTopic(self._concert_id, person_id)
            if await self._watchers.show(topic, snapshot, only_fresh=not is_changed) and self._watchers.is_watched(
                topic
            ):
                self._shown[person_id] = snapshot
            if count % BREATH == BREATH - 1:
                await asyncio.sleep(0)

    async def _show_holds(self, people: Collection[PersonId]) -> None:
        for person_id in people:
            topic = HoldsTopic(self._concert_id, person_id)
            if not self._watchers.is_watched(topic):
                continue
            known = self._holds.get(person_id, {})
            living = {hold.id: hold for hold in await self._reader.holds(self._concert_id, person_id)}
            for id_, hold in list(known.items()):
                if id_ not in living:
                    ended = await self._reader.hold(self._concert_id, id_)
                    await self._watchers.show(topic, ended or _lost(hold), is_all=False)
            for id_, hold in living.items():
                await self._watchers.show(topic, hold, only_fresh=known.get(id_) == hold, is_all=False)
            if self._watchers.is_watched(topic):
                self._holds[person_id] = living
        for member in self._watchers.fresh():
            if member.is_due and isinstance(member.source.topic, HoldsTopic):
                # All of their holds were shown, or they have none.
                member.first.set_result(None)

    def _refuse_fresh(self, error: Exception) -> None:
        for member in list(self._watchers.fresh()):
            member.first.set_exception(error)

    def _forget(self, topic: object) -> None:
        if isinstance(topic, LineTopic):
            self._attachments.go(topic.person_id)
            self._shown.pop(topic.person_id, None)
            self._records.pop(topic.person_id, None)
        elif isinstance(topic, HoldsTopic):
            self._holds.pop(topic.person_id, None)


def _is_same(before: LineSnapshot | None, now: LineSnapshot) -> bool:
    """Whether a person would see no difference but the version."""
    if before is None:
        return False
    same_room = replace(before.room, version=now.room.version) == now.room
    return same_room and before.entry == now.entry and before.stock.tiers == now.stock.tiers


def _lost(hold: Hold) -> Hold:
    """A hold the store forgot, without an order: it has ended, and its holder is told."""
    return replace(hold, state=HoldState.ENDED, reason=EndReason.UNITS_LOST, units=())
