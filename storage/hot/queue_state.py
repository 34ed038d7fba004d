"""Decodes script replies into the state of a queue at one version, and the people whose entries or
holds have changed since another version.
"""

import time
from dataclasses import dataclass
from typing import Self

from domain.estimates.room_flow import SLICE_S, SLICES, RoomFlow
from domain.ids import PersonId
from domain.queue_positions import QueuePositions
from domain.queues import RoomStatus
from storage.hot import replies
from storage.hot.script_client import Reply


@dataclass(frozen=True, slots=True)
class RoomState:
    """The counts of a waiting room at one version."""

    epoch: int
    version: int
    serving_number: int
    """The highest number called or skipped."""
    tail: int
    """The highest number assigned."""
    waiting_count: int
    slots_taken: int
    passes_issued: int
    status: RoomStatus
    flow: RoomFlow

    @classmethod
    def empty(cls, status: RoomStatus, *, epoch: int = 0) -> Self:
        """Return the state of a room without keys in the store, as for a draft or past concert."""
        return cls(
            epoch=epoch,
            version=0,
            serving_number=0,
            tail=0,
            waiting_count=0,
            slots_taken=0,
            passes_issued=0,
            status=status,
            flow=RoomFlow(now_s=time.time()),
        )


@dataclass(frozen=True, slots=True)
class QueueState:
    """The queue and its waiting room at one version."""

    epoch: int
    version: int
    concert_version: int
    """The version of the concert in MongoDB whose settings are in force."""
    round: int
    positions: QueuePositions
    slots_taken: int
    passes_issued: int
    status: RoomStatus
    is_opened: bool
    grace_until_ms: int
    """Unix time in milliseconds. Until then, no deadline takes effect."""
    flow: RoomFlow
    is_over: bool = False
    """True if the sale is over, which also ends the round."""
    over_id: int = 0
    """The highest id of an entry that ended with its sale; 0 if there is none."""

    @property
    def room(self) -> RoomState:
        positions = self.positions
        return RoomState(
            epoch=self.epoch,
            version=self.version,
            serving_number=positions.serving_number,
            tail=positions.tail,
            waiting_count=positions.waiting_count,
            slots_taken=self.slots_taken,
            passes_issued=self.passes_issued,
            status=self.status,
            flow=self.flow,
        )


@dataclass(frozen=True, slots=True)
class Changes:
    """The people whose entries or holds have changed, up to `version`.

    `is_complete` is True if nothing changed for any other person.
    """

    epoch: int
    version: int
    people: tuple[PersonId, ...]
    is_complete: bool


@dataclass(frozen=True, slots=True)
class ChangesPage:
    """The changes in one reply of a script."""

    epoch: int
    version: int
    floor: int
    """Changes up to this version may be missing, because old changes are dropped."""
    people: tuple[PersonId, ...]
    last_version: int
    """The version of the last change on the page; 0 if the page is empty."""


def decode_queue_state(fields: Reply) -> QueueState:
    epoch, version, concert_version, round_, serving, tail, departed, slots = fields[:8]
    issued, status, opened_ms, grace_until_ms, now_ms, is_over, over_id = fields[8:15]
    assert isinstance(departed, bytes)
    return QueueState(
        epoch=int(epoch),
        version=int(version),
        concert_version=int(concert_version),
        round=int(round_),
        positions=QueuePositions(int(serving), int(tail), departed),
        slots_taken=int(slots),
        passes_issued=int(issued),
        status=RoomStatus(replies.text(status)),
        is_opened=opened_ms != b"",
        grace_until_ms=int(grace_until_ms),
        flow=_decode_flow(int(now_ms), int(opened_ms) if opened_ms else None, fields[15:]),
        is_over=is_over == 1,
        over_id=int(over_id),
    )


def decode_room_state(fields: Reply) -> RoomState:
    epoch, version, _, _, serving, tail, waiting_count, slots, issued, status, opened_ms, _, now_ms = fields[:13]
    return RoomState(
        epoch=int(epoch),
        version=int(version),
        serving_number=int(serving),
        tail=int(tail),
        waiting_count=int(waiting_count),
        slots_taken=int(slots),
        passes_issued=int(issued),
        status=RoomStatus(replies.text(status)),
        flow=_decode_flow(int(now_ms), int(opened_ms) if opened_ms else None, fields[15:]),
    )


def decode_changes_page(fields: Reply) -> ChangesPage:
    names = fields[3::2]
    return ChangesPage(
        epoch=int(fields[0]),
        version=int(fields[1]),
        floor=int(fields[2]),
        people=tuple(PersonId(replies.text(name)) for name in names),
        last_version=int(fields[-1]) if names else 0,
    )


def _decode_flow(now_ms: int, opened_ms: int | None, counted: Reply) -> RoomFlow:
    counts = {replies.text(name): int(number) for name, number in zip(counted[::2], counted[1::2], strict=True)}
    last = now_ms // (SLICE_S * 1000)

    def recent_counts(what: str) -> tuple[int, ...]:
        return tuple(counts.get(f"{what}|{slice_}", 0) for slice_ in range(last - SLICES + 1, last + 1))

    return RoomFlow(
        now_s=now_ms / 1000,
        opened_s=None if opened_ms is None else opened_ms / 1000,
        joined=counts.get("joined", 0),
        called=counts.get("called", 0),
        claimed=counts.get("claimed", 0),
        completed=counts.get("completed", 0),
        tickets=counts.get("tickets", 0),
        left=counts.get("left", 0),
        absent=counts.get("absent", 0),
        not_claimed=counts.get("not_claimed", 0),
        session_over=counts.get("session_over", 0),
        joined_lately=recent_counts("joined"),
        called_lately=recent_counts("called"),
        gone_lately=recent_counts("gone"),
    )
