"""Keyset cursors: each one contains the sort key of an item, so inserts before it do not shift the
next page.

Each cursor also names its list: what it lists, under which conditions and in which order. A cursor
of another list is refused, because its position means nothing there. Cursors are opaque to clients.
"""

import base64
import binascii
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from pymongo import ASCENDING, DESCENDING

from domain.errors import BadUserInput
from domain.ids import fingerprint
from domain.page import Page, PageRequest
from storage.mongo.client import Collection, Document

T = TypeVar("T")

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MS = timedelta(milliseconds=1)
BEYOND = {ASCENDING: "$gt", DESCENDING: "$lt"}
"""The operator for values after a given one, in each direction."""
_NAME_HEX = 12
"""48 bits: no client meets two lists with the same name, and a cursor stays short."""


def name_list(*parts: object) -> str:
    """Return the name of a list in its cursors: a digest of everything that decides what it
    contains.
    """
    return fingerprint(*map(repr, parts))[:_NAME_HEX]


def make_cursor(list_name: str, moment: datetime, id_: str) -> str:
    return _encode(f"{list_name}:{ms_of(moment)}:{id_}")


def key_of(cursor: str, list_name: str) -> tuple[datetime, str]:
    """Return the sort key in a cursor. Raises BadUserInput if it is not a cursor, or is a cursor of
    another list.
    """
    try:
        name, ms, id_ = _decode(cursor).split(":", 2)
        moment = EPOCH + int(ms) * MS
    except (binascii.Error, ValueError, OverflowError) as error:
        raise bad_cursor(cursor) from error
    if name != list_name:
        raise BadUserInput(
            f"{cursor[:64]!r} is a cursor of another list. A cursor belongs to the filter and the order with which it"
            " was read; send them again with it, or read this list from its start."
        )
    return moment, id_


async def find_page(
    collection: Collection,
    query: Document,
    build: Callable[[Document], T],
    request: PageRequest,
    *,
    sort_field: str,
) -> Page[T]:
    """Return a page of the documents that match, latest `sort_field` first.

    Raises BadUserInput for an invalid cursor.
    """
    list_name = name_list(collection.name, query, sort_field)
    order = ASCENDING if request.is_backward else DESCENDING
    if request.cursor is not None:
        moment, id_ = key_of(request.cursor, list_name)
        is_tie_beyond = {sort_field: moment, "_id": {BEYOND[-order]: id_}}
        query = {**query, "$or": [{sort_field: {BEYOND[order]: moment}}, is_tie_beyond]}
    found = collection.find(query).sort([(sort_field, order), ("_id", -order)]).limit(request.limit)
    documents: list[Document] = await found.to_list(request.limit)
    return request.build(
        [(make_cursor(list_name, document[sort_field], document["_id"]), build(document)) for document in documents]
    )


def ms_of(moment: datetime) -> int:
    return (moment - EPOCH) // MS


def _encode(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _decode(cursor: str) -> str:
    return base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()


def bad_cursor(cursor: str) -> BadUserInput:
    return BadUserInput(f"{cursor[:64]!r} is not a cursor of this list; use a cursor from its edges.")
