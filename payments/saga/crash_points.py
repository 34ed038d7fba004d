"""The points between the steps of the saga, at which a test may end the process."""

from collections.abc import Callable
from enum import StrEnum


class CrashPoint(StrEnum):
    """A point that was just reached. The next step has not begun."""

    ORDER_INSERTED = "ORDER_INSERTED"
    ORDER_RECORDED = "ORDER_RECORDED"
    INTENT_CREATED = "INTENT_CREATED"
    INTENT_CANCELED = "INTENT_CANCELED"
    UNITS_TAKEN = "UNITS_TAKEN"
    REFUND_CREATED = "REFUND_CREATED"
    ORDER_UPDATED = "ORDER_UPDATED"
    """MongoDB has a new version of the order that Redis does not have yet."""
    STOCK_UPDATED = "STOCK_UPDATED"


Reached = Callable[[CrashPoint], None]


def ignore(point: CrashPoint) -> None:
    """Do nothing at a crash point, as in production."""
    del point
