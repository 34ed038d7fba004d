"""Publishes the holds of one concert to those owners who are subscribed.

A hold is published on every change, and once when it ends.
"""

import asyncio
from collections.abc import Iterable
from dataclasses import replace
from itertools import islice
from typing import TypeAlias

from domain.holds import EndReason, Hold, HoldState
from domain.ids import ConcertId, HoldId, PersonId
from domain.topics import HoldsTopic
from subscriptions.interfaces import SnapshotReader
from subscriptions.publishing.subscriber_groups import SubscriberGroups

VersionKey: TypeAlias = tuple[int, int]

BATCH = 100
"""The number of people whose holds are read together in one pipeline."""


class HoldPublisher:
    """The publisher of holds.

    People stay dirty until their holds are published, so no change is lost if a refresh fails.
    """

    def __init__(self, concert_id: ConcertId, reader: SnapshotReader, groups: SubscriberGroups) -> None:
        self._concert_id = concert_id
        self._reader = reader
        self._groups = groups
        self._known: dict[PersonId, dict[HoldId, Hold]] = {}
        self._dirty: dict[PersonId, None] = {}

    def add(self, person_id: PersonId) -> None:
        self._known.setdefault(person_id, {})

    def remove(self, person_id: PersonId) -> None:
        self._known.pop(person_id, None)
        self._dirty.pop(person_id, None)

    def mark_dirty(self, people: Iterable[PersonId]) -> None:
        """Mark these people, so that the next refresh reads their holds."""
        self._dirty.update((person_id, None) for person_id in people if person_id in self._known)

    def mark_all_dirty(self) -> None:
        self._dirty.update(dict.fromkeys(self._known))

    async def refresh(self, version_key: VersionKey) -> None:
        """Publish the holds that have changed. `version_key` is the epoch and the version of the
        concert, with which a lost hold is shown.
        """
        waiting = dict(self._dirty)
        while waiting:
            batch = list(islice(waiting, BATCH))
            active = await asyncio.gather(
                *[self._reader.read_holds(self._concert_id, person_id) for person_id in batch]
            )
            for person_id, holds in zip(batch, active, strict=True):
                del waiting[person_id]
                is_published = person_id not in self._known or await self._publish(
                    person_id, {hold.id: hold for hold in holds}, version_key
                )
                if is_published:
                    self._dirty.pop(person_id, None)
        for subscriber in self._groups.pending():
            if subscriber.is_included and isinstance(subscriber.source.topic, HoldsTopic):
                # All holds of this person were published, or the person has no holds.
                subscriber.first_delivery.set_result(None)

    async def _publish(self, person_id: PersonId, active: dict[HoldId, Hold], version_key: VersionKey) -> bool:
        """Publish all changes, and return whether that succeeded.

        The next refresh publishes the rest.
        """
        topic = HoldsTopic(self._concert_id, person_id)
        known = self._known[person_id]
        is_complete = True
        for id_, hold in list(known.items()):
            if id_ not in active:
                ended = await self._reader.read_hold(self._concert_id, id_)
                if await self._groups.publish(topic, ended or _as_lost(hold, version_key), is_complete=False):
                    del known[id_]
                else:
                    is_complete = False
        for id_, hold in active.items():
            if await self._groups.publish(topic, hold, only_pending=known.get(id_) == hold, is_complete=False):
                known[id_] = hold
            else:
                is_complete = False
        return is_complete


def _as_lost(hold: Hold, version_key: VersionKey) -> Hold:
    """Return a copy of a lost hold, marked as ended, so that its owner is notified.

    A hold is lost if the store no longer has it and it did not become an order.
    """
    epoch, version = version_key
    return replace(hold, state=HoldState.ENDED, reason=EndReason.UNITS_LOST, units=(), epoch=epoch, version=version)
