"""Templates for payloads that differ only in integers at the same positions.

A template serves all people in a queue who get payloads of the same shape. It is created by
executing the operation for a placeholder viewer, with marks in place of a person's integers, and is
used only after it has been verified: filled with the integers of a person whose payload was
rendered by execution, it must produce the same bytes.
"""

import re
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TypeAlias

from auth.viewer import Viewer
from domain.estimates.wait_estimates import WaitEstimate
from domain.ids import EntryId, PersonId
from domain.queues import WAITING_STATES, QueueEntry, WaitingRoom
from domain.stock import Stock
from domain.topics import QueueSnapshot

Integers: TypeAlias = tuple[int | None, int | None, int | None, int | None, int | None]
Shape: TypeAlias = tuple[object, ...]
Execute: TypeAlias = Callable[[QueueSnapshot, Viewer], Awaitable[bytes]]

_FIRST_MARK = 1_000_000_000
"""The lowest mark. All marks fit into GraphQL's Int and have ten digits, so no mark is part of
another.
"""
TEMPLATE_PERSON = PersonId("")
_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


def integers_of(entry: QueueEntry | None) -> Integers:
    if entry is None:
        return None, None, None, None, None
    estimate = entry.estimate
    p50_s, p90_s = (estimate.p50_s, estimate.p90_s) if estimate else (None, None)
    return entry.number, entry.position, p50_s, p90_s, entry.lot


@dataclass(frozen=True, slots=True)
class Template:
    text: bytes
    """The payload with `%d` in place of each integer."""
    order: tuple[int, ...]
    """The index of the integer for each `%d`."""

    def fill(self, integers: Integers) -> bytes:
        return self.text % tuple([integers[index] for index in self.order])

    @classmethod
    def cut(cls, payload: bytes, marks: Integers) -> "Template":
        found = {str(mark).encode(): index for index, mark in enumerate(marks) if mark is not None}
        if not found:
            return cls(payload.replace(b"%", b"%%"), ())
        pieces = re.split(b"(" + b"|".join(found) + b")", payload)
        literal = [piece.replace(b"%", b"%%") for piece in pieces[::2]]
        return cls(b"%d".join(literal), tuple(found[mark] for mark in pieces[1::2]))


class PayloadTemplates:
    """Templates for one operation, at one version of a room and its stock. A new version clears
    them. A `Shape` is everything in a snapshot except its room, its stock and its integers, plus
    the roles of its viewer.
    """

    __slots__ = ("_first", "_room", "_stock", "_templates")

    def __init__(self) -> None:
        self._room: WaitingRoom | None = None
        self._stock: Stock | None = None
        self._first: dict[Shape, tuple[Integers, bytes]] = {}
        self._templates: dict[Shape, Template | None] = {}

    def fill(self, snapshot: QueueSnapshot, viewer: Viewer) -> bytes | None:
        """Return the bytes that an execution would produce, or None if there is no verified
        template.
        """
        if _is_personal(snapshot.entry) or not self._is_current(snapshot):
            return None
        integers = integers_of(snapshot.entry)
        template = self._templates.get(_shape(snapshot, integers, viewer))
        return template.fill(integers) if template else None

    async def render(self, snapshot: QueueSnapshot, viewer: Viewer, execute: Execute) -> bytes:
        """Return the payload of a snapshot.

        The first snapshot of a shape is only rendered. The second one also creates the template,
        which is verified against the payload of the first.
        """
        payload = await execute(snapshot, viewer)
        if _is_personal(snapshot.entry):
            return payload
        if not self._is_current(snapshot):
            self._room, self._stock = snapshot.room, snapshot.stock
            self._first, self._templates = {}, {}
        integers = integers_of(snapshot.entry)
        shape = _shape(snapshot, integers, viewer)
        if shape not in self._first:
            self._first[shape] = integers, payload
        elif shape not in self._templates:
            await self._create_template(shape, snapshot, viewer, execute)
        return payload

    async def _create_template(self, shape: Shape, snapshot: QueueSnapshot, viewer: Viewer, execute: Execute) -> None:
        marked = _marked(snapshot.entry) if snapshot.entry else None
        payload = await execute(
            replace(snapshot, entry=marked), replace(viewer, person_id=TEMPLATE_PERSON, name="", email=None)
        )
        if self._is_current(snapshot):
            template = Template.cut(payload, integers_of(marked))
            integers, shown = self._first[shape]
            self._templates[shape] = template if template.fill(integers) == shown else None

    def _is_current(self, snapshot: QueueSnapshot) -> bool:
        return self._room is snapshot.room and self._stock is snapshot.stock


def _is_personal(entry: QueueEntry | None) -> bool:
    """Return whether an entry has personal data other than integers.

    A called entry has a pass and a deadline, and an ended entry has a reason; other entries differ
    only in integers.
    """
    return entry is not None and entry.state not in WAITING_STATES


def _shape(snapshot: QueueSnapshot, integers: Integers, viewer: Viewer) -> Shape:
    entry, (number, position, p50_s, p90_s, lot) = snapshot.entry, integers
    nulls = number is None, position is None, p50_s is None, p90_s is None, lot is None
    mine = (entry.state, entry.end_reason, entry.queue_pass) if entry else None
    return viewer.roles, mine, snapshot.stock_ahead, nulls


def _marked(entry: QueueEntry) -> QueueEntry:
    """Return the entry with marks in place of its integers, and without other personal data."""
    first = _FIRST_MARK + secrets.randbelow(_FIRST_MARK)
    number, position, p50_s, p90_s, lot = range(first, first + 5)
    return replace(
        entry,
        person_id=TEMPLATE_PERSON,
        entry_id=EntryId(0),
        number=None if entry.number is None else number,
        position=None if entry.position is None else position,
        estimate=None if entry.estimate is None else WaitEstimate(p50_s, p90_s),
        lot=None if entry.lot is None else lot,
        joined_at=_LONG_AGO,
        expires_at=_LONG_AGO,
        round=0,
    )
