"""The people who watch their holds of one concert: each hold is shown when it changes, and once more when it ends."""

import asyncio
from collections.abc import Iterable
from dataclasses import replace
from itertools import islice

from domain.holds import EndReason, Hold, HoldState
from domain.ids import ConcertId, HoldId, PersonId
from domain.topics import HoldsTopic
from subscriptions.reader import Reader
from subscriptions.watchers import Watchers

BATCH = 100
"""People whose holds are read in one turn of the loop: their commands go to the store together."""


class HoldWatch:
    """Who has news is kept until it was shown, so that a failure loses none."""

    def __init__(self, concert_id: ConcertId, reader: Reader, watchers: Watchers) -> None:
        self._concert_id = concert_id
        self._reader = reader
        self._watchers = watchers
        self._known: dict[PersonId, dict[HoldId, Hold]] = {}
        self._news: dict[PersonId, None] = {}

    def come(self, person_id: PersonId) -> None:
        self._known.setdefault(person_id, {})

    def go(self, person_id: PersonId) -> None:
        self._known.pop(person_id, None)
        self._news.pop(person_id, None)

    def tell(self, people: Iterable[PersonId]) -> None:
        """Something of theirs may have changed."""
        self._news.update((person_id, None) for person_id in people if person_id in self._known)

    def tell_all(self) -> None:
        self._news.update(dict.fromkeys(self._known))

    async def look(self) -> None:
        waiting = dict(self._news)
        while waiting:
            batch = list(islice(waiting, BATCH))
            living = await asyncio.gather(*[self._reader.holds(self._concert_id, person_id) for person_id in batch])
            for person_id, holds in zip(batch, living, strict=True):
                del waiting[person_id]
                is_shown = person_id not in self._known or await self._show(
                    person_id, {hold.id: hold for hold in holds}
                )
                if is_shown:
                    self._news.pop(person_id, None)
        for member in self._watchers.fresh():
            if member.is_due and isinstance(member.source.topic, HoldsTopic):
                # All of their holds were shown, or they have none.
                member.first.set_result(None)

    async def _show(self, person_id: PersonId, living: dict[HoldId, Hold]) -> bool:
        """Whether all was shown that is new; what was not is new at the next look."""
        topic = HoldsTopic(self._concert_id, person_id)
        known = self._known[person_id]
        is_shown = True
        for id_, hold in list(known.items()):
            if id_ not in living:
                ended = await self._reader.hold(self._concert_id, id_)
                if await self._watchers.show(topic, ended or _lost(hold), is_all=False):
                    del known[id_]
                else:
                    is_shown = False
        for id_, hold in living.items():
            if await self._watchers.show(topic, hold, only_fresh=known.get(id_) == hold, is_all=False):
                known[id_] = hold
            else:
                is_shown = False
        return is_shown


def _lost(hold: Hold) -> Hold:
    """A hold the store forgot, without an order: it has ended, and its holder is told."""
    return replace(hold, state=HoldState.ENDED, reason=EndReason.UNITS_LOST, units=())
