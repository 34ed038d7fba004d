"""Keyset cursors: each one contains the sort key of an item, so inserts before it do not shift the
next page.

Cursors are opaque to clients.
"""

import base64
import binascii
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from pymongo import ASCENDING, DESCENDING

from domain.errors import BadUserInput
from domain.page import Page
from storage.mongo.client import Collection, Document

T = TypeVar("T")

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MS = timedelta(milliseconds=1)


def make_cursor(moment: datetime, id_: str) -> str:
    return _encode(f"{_ms(moment)}:{id_}")


def key_of(cursor: str) -> tuple[datetime, str]:
    """Return the sort key in a cursor. Raises BadUserInput if it does not contain one."""
    try:
        ms, separator, id_ = _decode(cursor).partition(":")
        moment = _EPOCH + int(ms) * _MS
    except (binascii.Error, ValueError, OverflowError) as error:
        raise _bad_cursor(cursor) from error
    if not separator:
        raise _bad_cursor(cursor)
    return moment, id_


async def find_page(
    collection: Collection,
    query: Document,
    build: Callable[[Document], T],
    *,
    sort_field: str,
    first: int,
    after: str | None,
) -> Page[T]:
    """Return a page of the documents that match, latest `sort_field` first.

    Raises BadUserInput for an invalid cursor.
    """
    if after is not None:
        moment, id_ = key_of(after)
        query = {**query, "$or": [{sort_field: {"$lt": moment}}, {sort_field: moment, "_id": {"$gt": id_}}]}
    found = collection.find(query).sort([(sort_field, DESCENDING), ("_id", ASCENDING)]).limit(first + 1)
    documents: list[Document] = await found.to_list(first + 1)
    shown = documents[:first]
    return Page(
        tuple(build(document) for document in shown),
        tuple(make_cursor(document[sort_field], document["_id"]) for document in shown),
        has_next_page=len(documents) > first,
        has_previous_page=after is not None,
    )


@dataclass(frozen=True, slots=True)
class ListPlace:
    """A position in the list of concerts.

    Concerts that start at `past_before` or later come first, in order of their start. The others
    follow, latest first.

    `past_before` is set by the first page and is part of every cursor, so that the order does not
    change between pages as time passes.
    """

    starts_at: datetime
    id: str
    past_before: datetime

    @property
    def is_past(self) -> bool:
        return self.starts_at < self.past_before

    @property
    def cursor(self) -> str:
        return _encode(f"{_ms(self.starts_at)}:{self.id}:{_ms(self.past_before)}")

    def move_to(self, starts_at: datetime, id_: str) -> "ListPlace":
        return replace(self, starts_at=starts_at, id=id_)


def start_of_list(past_before: datetime) -> ListPlace:
    """Return the position before the first concert. Its times are rounded to whole milliseconds, as
    in cursors.
    """
    rounded = _EPOCH + _ms(past_before) * _MS
    return ListPlace(rounded, "", rounded)


def list_place_of(cursor: str) -> ListPlace:
    """Return the position in a cursor. Raises BadUserInput if it does not contain one.

    A cursor from an earlier version of Onsale has no `past_before`; its list is sorted by start
    only.
    """
    starts_at, id_ = key_of(cursor)
    id_, separator, past_ms = id_.partition(":")
    if not separator:
        return ListPlace(starts_at, id_, _EPOCH)
    try:
        return ListPlace(starts_at, id_, _EPOCH + int(past_ms) * _MS)
    except (ValueError, OverflowError) as error:
        raise _bad_cursor(cursor) from error


def _ms(moment: datetime) -> int:
    return (moment - _EPOCH) // _MS


def _encode(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _decode(cursor: str) -> str:
    return base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()


def _bad_cursor(cursor: str) -> BadUserInput:
    return BadUserInput(f"{cursor[:64]!r} is not a cursor of this list; use a cursor from its edges.")
