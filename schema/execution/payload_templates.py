"""Templates for payloads that differ only in some values at the same positions.

A template serves all people in a queue who get payloads of the same shape. It has two kinds of
holes: for integers, which each refresh may change, and for texts, which are fixed for a subscriber
and written once. It is created by executing the operation for a placeholder viewer, with marks in
place of a person's values, and is used only after it has been verified: filled with the values of a
person whose payload was rendered by execution, it must produce the same bytes.
"""

import re
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from operator import itemgetter
from typing import TypeAlias

from auth.viewer import Viewer
from domain.estimates.wait_estimates import WaitEstimate
from domain.ids import EntryId, PersonId
from domain.queues import WAITING_STATES, QueueEntry, WaitingRoom
from domain.stock import Stock, StockAhead
from domain.topics import NO_NUMBERS, EntryNumbers, QueueSnapshot
from schema import ids
from schema.scalars import write_date_time
from subscriptions.interfaces import Rendered

Texts: TypeAlias = tuple[bytes, ...]
Values: TypeAlias = tuple[int | bytes | None, ...]
"""The numbers, the lot and the texts of an entry, in this order."""
Group: TypeAlias = tuple[object, ...]
Execute: TypeAlias = Callable[[QueueSnapshot, Viewer], Awaitable[bytes]]

_FIRST_MARK = 1_000_000_000
"""The lowest mark. All marks fit into GraphQL's Int and have ten digits, so no mark is part of
another.
"""
TEMPLATE_PERSON = PersonId("")
_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)
_FAR_FUTURE = datetime(5000, 1, 1, tzinfo=UTC)
"""The earliest time used as a mark. No payload contains a time so far in the future."""
_MARKED_MS = 2**46
"""The times used as marks span about two thousand years, in milliseconds."""
_VARIANTS = 16
"""The number of shapes in a group: each of four properties of a snapshot doubles it."""


class OwnTexts:
    """The texts of a subscriber's entry that no refresh changes: its id and the time of joining.

    They are written once, and again only for a new entry. A store that lost its state gives ids
    again, so the time of joining is compared too.
    """

    __slots__ = ("_entry_id", "_joined_at", "_texts")

    def __init__(self) -> None:
        self._entry_id: EntryId | None = None
        self._joined_at = _LONG_AGO
        self._texts: Texts = ()

    def of(self, entry: QueueEntry | None) -> Texts:
        if entry is None:
            return ()
        if entry.entry_id != self._entry_id or entry.joined_at != self._joined_at:
            self._entry_id, self._joined_at, self._texts = entry.entry_id, entry.joined_at, texts_of(entry)
        return self._texts


def texts_of(entry: QueueEntry) -> Texts:
    return ids.of_entry(entry.concert_id, entry.entry_id).encode(), write_date_time(entry.joined_at).encode()


def numbers_of(entry: QueueEntry | None) -> EntryNumbers:
    if entry is None:
        return NO_NUMBERS
    p50_s, p90_s = (entry.estimate.p50_s, entry.estimate.p90_s) if entry.estimate else (None, None)
    return EntryNumbers(entry.number, entry.position, p50_s, p90_s)


@dataclass(frozen=True, slots=True)
class Template:
    text: bytes
    """The payload with `%d` in place of each integer, and `%b` in place of each text."""
    order: tuple[int, ...]
    """The index of the value for each hole."""
    _choose: Callable[[Values], object] = field(init=False, repr=False, compare=False)
    """Returns the values for the holes: a tuple, or the value itself if there is one hole."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "_choose", itemgetter(*self.order) if self.order else lambda _: ())

    def fill(self, values: Values) -> bytes:
        return self.text % self._choose(values)

    @classmethod
    def cut(cls, payload: bytes, marks: Values) -> "Template":
        found = {_as_text(mark): index for index, mark in enumerate(marks) if mark is not None}
        if not found:
            return cls(payload.replace(b"%", b"%%"), ())
        pieces = re.split(b"(" + b"|".join(map(re.escape, found)) + b")", payload)
        order = tuple(found[mark] for mark in pieces[1::2])
        holes = [b"%d" if isinstance(marks[index], int) else b"%b" for index in order]
        literals = [piece.replace(b"%", b"%%") for piece in pieces[::2]]
        return cls(b"".join(map(bytes.__add__, literals, [*holes, b""])), order)


def _as_text(mark: int | bytes) -> bytes:
    return mark if isinstance(mark, bytes) else str(mark).encode()


class PayloadTemplates:
    """Templates for one operation, at one version of a room and its stock. A new version clears
    them.

    Payloads have the same shape if they have the same group and the same variant. A group is
    everything in a snapshot that concerns a person and no refresh changes, plus the rights of the
    viewer. A variant says which numbers are null, and whether tickets will be left. Groups keep
    their index permanently, so a writer finds its template by an integer.
    """

    __slots__ = ("_first", "_groups", "_room", "_stock", "_templates")

    def __init__(self) -> None:
        self._room: WaitingRoom | None = None
        self._stock: Stock | None = None
        self._groups: dict[Group, int] = {}
        self._first: dict[int, tuple[Values, bytes]] = {}
        self._templates: dict[int, Template | None] = {}

    def find(self, snapshot: QueueSnapshot, shape: int) -> Template | None:
        """Return the verified template of a shape at the version of the snapshot, if it exists."""
        if self._room is not snapshot.room or self._stock is not snapshot.stock:
            return None
        return self._templates.get(shape)

    def fill(self, snapshot: QueueSnapshot, viewer: Viewer, own_texts: OwnTexts) -> bytes | None:
        """Return the bytes that an execution would produce, or None if there is no verified
        template.
        """
        if not _has_template(snapshot.entry, viewer):
            return None
        template = self.find(snapshot, self._shape(snapshot, viewer))
        return template.fill(_values(snapshot.entry, own_texts)) if template else None

    async def render(self, snapshot: QueueSnapshot, viewer: Viewer, own_texts: OwnTexts, execute: Execute) -> bytes:
        """Return the payload of a snapshot.

        The first snapshot of a shape is only rendered. The second one also creates the template,
        which is verified against the payload of the first.
        """
        payload = await execute(snapshot, viewer)
        if not _has_template(snapshot.entry, viewer):
            return payload
        if self._room is not snapshot.room or self._stock is not snapshot.stock:
            self._room, self._stock = snapshot.room, snapshot.stock
            self._first, self._templates = {}, {}
        shape = self._shape(snapshot, viewer)
        if shape not in self._first:
            self._first[shape] = _values(snapshot.entry, own_texts), payload
        elif shape not in self._templates:
            await self._create_template(shape, snapshot, viewer, execute)
        return payload

    def writer(self, snapshot: QueueSnapshot, viewer: Viewer, own_texts: OwnTexts) -> "TemplateWriter | None":
        """Return a writer for the next payloads of this entry, or None if there is no template for
        it.

        Organizers have none, because their rights depend on who organizes the concert.
        """
        if viewer.is_organizer or not _has_template(snapshot.entry, viewer):
            return None
        own = _values(snapshot.entry, own_texts)[len(NO_NUMBERS) :]
        return TemplateWriter(self, self._group(snapshot, viewer), own)

    async def _create_template(self, shape: int, snapshot: QueueSnapshot, viewer: Viewer, execute: Execute) -> None:
        marked = _marked(snapshot.entry) if snapshot.entry else None
        payload = await execute(
            replace(snapshot, entry=marked), replace(viewer, person_id=TEMPLATE_PERSON, name="", email=None)
        )
        if self._room is snapshot.room and self._stock is snapshot.stock:
            template = Template.cut(payload, _values(marked, OwnTexts()))
            values, shown = self._first[shape]
            self._templates[shape] = template if template.fill(values) == shown else None

    def _shape(self, snapshot: QueueSnapshot, viewer: Viewer) -> int:
        return self._group(snapshot, viewer) + _variant(snapshot.stock_ahead, numbers_of(snapshot.entry))

    def _group(self, snapshot: QueueSnapshot, viewer: Viewer) -> int:
        entry = snapshot.entry
        mine = (entry.state, entry.end_reason, entry.queue_pass, entry.round, entry.lot is None) if entry else None
        group = viewer.roles, viewer.organizes(snapshot.room.organizer_id), mine
        return self._groups.setdefault(group, len(self._groups) * _VARIANTS)


class TemplateWriter:
    """Implements `subscriptions.interfaces.EntryWriter`."""

    __slots__ = ("_group", "_own", "_templates")

    def __init__(self, templates: PayloadTemplates, group: int, own: Values) -> None:
        self._templates = templates
        self._group = group
        self._own = own
        """The values that no refresh changes."""

    def write(self, common: QueueSnapshot, numbers: EntryNumbers) -> Rendered | None:
        template = self._templates.find(common, self._group + _variant(common.stock_ahead, numbers))
        return Rendered(template.fill(numbers + self._own)) if template else None


def _variant(stock_ahead: StockAhead, numbers: EntryNumbers) -> int:
    number, position, p50_s, _ = numbers
    is_sold_out = stock_ahead is StockAhead.SOLD_OUT
    return 8 * is_sold_out + 4 * (number is None) + 2 * (position is None) + (p50_s is None)


def _values(entry: QueueEntry | None, own_texts: OwnTexts) -> Values:
    return (*numbers_of(entry), entry.lot if entry else None, *own_texts.of(entry))


def _has_template(entry: QueueEntry | None, viewer: Viewer) -> bool:
    """Return whether a template can be filled with this entry.

    A called entry has a pass and a deadline, and an ended entry has a reason, for which templates
    have no holes. For another person's entry, the operation is executed, so that the permissions
    refuse it.
    """
    return entry is None or (entry.state in WAITING_STATES and entry.person_id == viewer.person_id)


def _marked(entry: QueueEntry) -> QueueEntry:
    """Return the entry with marks in place of its values, and without other personal data."""
    first = _FIRST_MARK + secrets.randbelow(_FIRST_MARK)
    number, position, p50_s, p90_s, lot = range(first, first + 5)
    return replace(
        entry,
        person_id=TEMPLATE_PERSON,
        entry_id=EntryId(first + 5),
        number=None if entry.number is None else number,
        position=None if entry.position is None else position,
        estimate=None if entry.estimate is None else WaitEstimate(p50_s, p90_s),
        lot=None if entry.lot is None else lot,
        joined_at=_FAR_FUTURE + timedelta(milliseconds=secrets.randbelow(_MARKED_MS)),
        expires_at=_LONG_AGO,
    )
