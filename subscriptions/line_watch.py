"""The people who watch their place in one line: their own news at once, the moves of the line as their band allows.

Entries are read only of those who have news, in batches; nobody who is not due costs more than a comparison.
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
from subscriptions.attachments import Attachments
from subscriptions.breath import Breath
from subscriptions.reader import Reader
from subscriptions.scene import Scene, Stand
from subscriptions.standing import Standing
from subscriptions.watchers import Watchers

BATCH = 250
"""Entries in one command: parsed in about 3 ms, so that nobody else waits longer."""
MOST_A_LOOK = 1_000
"""People shown in one look who have no news of their own: those who have some come first in the next one."""


class LineWatch:
    """Who has news is kept until it was shown, so that a failure loses none."""

    def __init__(
        self,
        concert_id: ConcertId,
        reader: Reader,
        watchers: Watchers,
        *,
        attachments: Attachments,
        look_again: Callable[[], None],
    ) -> None:
        self._concert_id = concert_id
        self._reader = reader
        self._watchers = watchers
        self._attachments = attachments
        self._look_again = look_again
        self._standing: dict[PersonId, Standing] = {}
        self._unread: dict[PersonId, None] = {}
        self._unread_crowd: dict[PersonId, None] = {}
        self._common: tuple[object, ...] = ()
        self._moved_s = -inf
        self.next_s = inf
        """When the first of those who are behind has to be shown what is true."""

    def come(self, topic: QueueTopic) -> None:
        self._standing.setdefault(topic.person_id, Standing(topic))

    def go(self, person_id: PersonId) -> None:
        self._standing.pop(person_id, None)
        self._unread.pop(person_id, None)
        self._unread_crowd.pop(person_id, None)
        self._attachments.go(person_id)

    def tell(self, people: Iterable[PersonId]) -> None:
        """Something of theirs may have changed, or they came only now."""
        self._unread.update((person_id, None) for person_id in people if person_id in self._standing)

    def tell_all(self) -> None:
        """Something that concerns everybody happened; they are read a part a look."""
        self._unread_crowd.update(dict.fromkeys(self._standing))

    def tell_called(self) -> None:
        """Their deadlines may have been put off."""
        self.tell([person_id for person_id, one in self._standing.items() if one.stand is Stand.CALLED])

    async def look(self, scene: Scene) -> None:
        began_s = time.monotonic()
        await self._show_news(list(self._unread), scene)
        await self._show_news(list(islice(self._unread_crowd, MOST_A_LOOK)), scene)
        if self._unread_crowd:
            self._look_again()
        due = self._due(scene, began_s)
        if len(due) > MOST_A_LOOK:
            # Who has waited longest first, so that nobody is left behind for ever.
            due.sort(key=lambda one: one.looked_at)
            self._look_again()
        breath = Breath()
        for one in due[:MOST_A_LOOK]:
            await self._show_moved(one, scene)
            await breath.take()

    def _due(self, scene: Scene, now_s: float) -> list[Standing]:
        if scene.common != self._common:
            self._common, self._moved_s = scene.common, now_s
        due: list[Standing] = []
        self.next_s = inf
        for one in self._standing.values():
            due_s = one.due_s(scene)
            if due_s <= now_s:
                due.append(one)
            elif one.looked_at < self._moved_s:
                self.next_s = min(self.next_s, due_s)
        return due

    async def _show_news(self, people: Sequence[PersonId], scene: Scene) -> None:
        for first in range(0, len(people), BATCH):
            batch = people[first : first + BATCH]
            found = await self._reader.entries(self._concert_id, batch)
            breath = Breath()
            for person_id in batch:
                one = self._standing.get(person_id)
                if one is None:
                    self._unread.pop(person_id, None)
                    self._unread_crowd.pop(person_id, None)
                else:
                    await self._show_new(one, found.get(person_id), scene)
                await breath.take()

    async def _show_new(self, one: Standing, record: EntryRecord | None, scene: Scene) -> None:
        before, stood = one.record, one.stand
        one.note(record)
        is_new_entry = record is not None and (before is None or before.entry_id != record.entry_id)
        if one.stand is Stand.IN_LINE and (is_new_entry or stood is not Stand.IN_LINE):
            # A new entry does not know yet that its person is here; nor may one that a store was put back to.
            self._attachments.come(one.topic.person_id)
            self._look_again()
        if record is not None and _is_newer(record, scene):
            self._look_again()
            return
        self._unread.pop(one.topic.person_id, None)
        self._unread_crowd.pop(one.topic.person_id, None)
        await self._show(one, scene)

    async def _show_moved(self, one: Standing, scene: Scene) -> None:
        person_id = one.topic.person_id
        if one.record is not None and one.stand is Stand.IN_LINE and not _is_waiting(one.record, scene):
            # Their line was emptied, or lost: what became of them is read before anything is shown.
            self.tell([person_id])
            self._look_again()
        elif person_id not in self._unread_crowd and person_id not in self._unread:
            await self._show(one, scene)

    async def _show(self, one: Standing, scene: Scene) -> None:
        _, is_sold_out = one.prospect(scene)
        stock_ahead = StockAhead.SOLD_OUT if is_sold_out else StockAhead.AVAILABLE
        snapshot = self._reader.show(scene.view, one.record, scene.stock, stock_ahead)
        is_news = one.sees_news(scene, snapshot)
        is_shown = await self._watchers.show(one.topic, snapshot, only_fresh=not is_news)
        if not is_shown:
            # Theirs, as far as anybody knows: they are read and shown again at the next look.
            self.tell([one.topic.person_id])
        elif one.is_behind(scene):
            one.saw(scene, snapshot, now_s=time.monotonic())


def _is_newer(record: EntryRecord, scene: Scene) -> bool:
    """They joined, or their line was opened, after it was read: they are shown at the next look."""
    state = scene.view.state
    is_drawn_since = record.state is EntryState.WAITING and not state.is_opened
    return is_drawn_since or (record.round, record.number or 0) > (state.round, state.positions.tail)


def _is_waiting(record: EntryRecord, scene: Scene) -> bool:
    state = scene.view.state
    return record.round == state.round and (record.number is None or state.positions.is_waiting(record.number))
