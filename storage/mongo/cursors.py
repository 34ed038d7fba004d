"""Keyset cursors: the sort key of an item, opaque to clients, so earlier inserts shift no page."""

import base64
import binascii
from datetime import UTC, datetime, timedelta

from domain.errors import BadUserInput

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def make_cursor(moment: datetime, id_: str) -> str:
    ms = (moment - _EPOCH) // timedelta(milliseconds=1)
    return base64.urlsafe_b64encode(f"{ms}:{id_}".encode()).decode().rstrip("=")


def key_of(cursor: str) -> tuple[datetime, str]:
    """Return the sort key in a cursor. Raises BadUserInput if make_cursor cannot have made it."""
    try:
        text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
        ms, separator, id_ = text.partition(":")
        moment = _EPOCH + timedelta(milliseconds=int(ms))
    except (binascii.Error, ValueError, OverflowError) as error:
        raise BadUserInput(f"{cursor[:64]!r} is not a cursor of this list; use a cursor from its edges.") from error
    if not separator:
        raise BadUserInput(f"{cursor[:64]!r} is not a cursor of this list; use a cursor from its edges.")
    return moment, id_
