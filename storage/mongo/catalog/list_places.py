"""Positions in the list of concerts, and the parts of the list before and after them."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from pymongo import ASCENDING, DESCENDING

from storage.mongo.client import Document
from storage.mongo.cursors import BEYOND, EPOCH, MS, bad_cursor, key_of, make_cursor, ms_of


@dataclass(frozen=True, slots=True)
class ListPart:
    """A part of a list, to be read in one query."""

    condition: Document
    direction: int
    """The sort direction of the time and the id."""
    is_over: bool
    """Whether the part is before the dividing time."""


@dataclass(frozen=True, slots=True)
class ListPlace:
    """A position in a list of concerts that is sorted by one of their times.

    Concerts whose time is `divider` or later come first, earliest first. The others follow, latest
    first. `divider` is set by the first page and is part of every cursor, so that the order does
    not change between pages as time passes.
    """

    list_name: str
    """Names the filter and the order of the list."""
    field: str
    """The time in a concert's document by which the list is sorted."""
    moment: datetime
    id: str
    divider: datetime

    @property
    def is_over(self) -> bool:
        return self.moment < self.divider

    @property
    def cursor(self) -> str:
        return make_cursor(self.list_name, self.moment, f"{self.id}:{ms_of(self.divider)}")

    def move_to(self, document: Document) -> "ListPlace":
        return replace(self, moment=document[self.field], id=document["_id"])

    def parts_ahead(self, *, is_backward: bool) -> Iterator[ListPart]:
        """Yield the parts of the list to read from here, in the order of reading."""
        over, ahead = {"$lt": self.divider}, {"$gte": self.divider}
        direction = ASCENDING if self.is_over == is_backward else DESCENDING
        beyond = BEYOND[direction]
        # The range lets MongoDB begin at this position instead of at the start of the part.
        range_ = {f"{beyond}e": self.moment}
        if is_backward:
            range_ |= over if self.is_over else ahead
        is_tie_beyond = {self.field: self.moment, "_id": {beyond: self.id}}
        condition = {self.field: range_, "$or": [{self.field: {beyond: self.moment}}, is_tie_beyond]}
        yield ListPart(condition, direction, self.is_over)
        if self.is_over == is_backward:
            yield ListPart({self.field: ahead if is_backward else over}, DESCENDING, not is_backward)


def edge_of_list(list_name: str, field: str, divider: datetime, *, is_backward: bool) -> ListPlace:
    """Return the position before the first concert or, if `is_backward`, after the last one.

    Its times are rounded to whole milliseconds, as in cursors.
    """
    rounded = EPOCH + ms_of(divider) * MS
    return ListPlace(list_name, field, EPOCH if is_backward else rounded, "", rounded)


def list_place_of(cursor: str, list_name: str, field: str) -> ListPlace:
    """Return the position in a cursor. Raises BadUserInput if it is not a cursor of this list."""
    moment, rest = key_of(cursor, list_name)
    id_, _, divider_ms = rest.partition(":")
    try:
        return ListPlace(list_name, field, moment, id_, EPOCH + int(divider_ms) * MS)
    except (ValueError, OverflowError) as error:
        raise bad_cursor(cursor) from error
