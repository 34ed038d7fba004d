"""Divides time into windows. Each is compared newest first, the order in which providers list
objects.

Everything is compared twice: soon after it was created, and after the provider has stopped
repeating its messages. Disputes are compared once more after the bank's decision. A window is
compared in slices, so a run is bounded however many objects a second has. The provider's times are
whole seconds, and a second is never divided.
"""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TypeVar

from storage.mongo.payments.reconciliations import TimeCursor

T = TypeVar("T")

SECOND = timedelta(seconds=1)
SPAN = timedelta(days=1)
"""The longest window."""
FIRST_LOOK_BACK = timedelta(days=7)
"""How far the first run of an installation looks back, in addition to the minimum age of its
pass.
"""


@dataclass(frozen=True, slots=True)
class Pass:
    name: str
    age: timedelta
    """The minimum age of an object. The messages about a newer one may still be on their way."""


PASSES = (
    # The longest time to pay is 30 minutes, and closing the order takes a few minutes more.
    Pass("recent", timedelta(minutes=45)),
    # Stripe repeats its messages for three days.
    Pass("final", timedelta(days=4)),
)

DISPUTE_PASSES = (*PASSES, Pass("decided", timedelta(days=120)))
"""A bank takes up to three months to decide about a dispute, and the message may be lost then."""


@dataclass(frozen=True, slots=True)
class Window:
    """The whole seconds from `since` to `until`, both included."""

    since: datetime
    until: datetime


def first_second(chosen: Pass, now: datetime) -> datetime:
    return floor_second(now - chosen.age - FIRST_LOOK_BACK)


def floor_second(moment: datetime) -> datetime:
    return moment.replace(microsecond=0)


def open_window(cursor: TimeCursor, chosen: Pass, now: datetime) -> TimeCursor | None:
    """Return the cursor with its current or next window, or None if nothing is old enough."""
    if cursor.until is not None:
        return cursor
    end = min(cursor.since + SPAN, floor_second(now - chosen.age))
    return None if end <= cursor.since else replace(cursor, end=end, until=end)


def move_on(cursor: TimeCursor, done_since: datetime) -> TimeCursor:
    """Return the cursor after everything in its window since `done_since` has been compared."""
    if done_since > cursor.since or cursor.end is None:
        return replace(cursor, until=done_since - SECOND)
    return TimeCursor(cursor.end + SECOND)


async def take_newest(
    items: AsyncIterator[T], moment_of: Callable[[T], datetime], *, limit: int
) -> tuple[list[T], datetime | None]:
    """Return the newest items, and the second since which they are complete, or None if there are
    no others.

    The items come newest first. More than `limit` are returned if one second has more.
    """
    found: list[T] = []
    oldest: datetime | None = None
    async for item in items:
        second = floor_second(moment_of(item))
        if oldest is not None and len(found) >= limit and second < oldest:
            return found, oldest
        found.append(item)
        oldest = second
    return found, None
