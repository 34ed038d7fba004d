"""One look at a concert: what all who stand in its line have in common, and where it divides them.

Worked out once a look: from which number on nothing will be left, and how far behind each part of the line may be.
"""

from bisect import bisect_left
from dataclasses import dataclass
from enum import IntEnum
from typing import TypeAlias

from domain.estimates.sold_out_forecast import forecast_sold_out
from domain.queue_positions import QueuePositions
from domain.queues import QueueingMethod
from domain.stock import Stock
from subscriptions.bands import Bands, Reach
from subscriptions.reader import RoomView

CALLED_BEHIND_S = 5.0
"""Their own news they are told at once; what else moves is shown to each of them apart, at the cost of an execution."""
OUTSIDE_BEHIND_S = 2.0
"""For those who never joined."""


class Stand(IntEnum):
    """How somebody stands to a line. Their number in it decides for those who are in line and have one."""

    IN_LINE = 0
    CALLED = 1
    OUTSIDE = 2


Prospect: TypeAlias = tuple[float, bool]
"""How many seconds what somebody sees may be behind, and whether nothing will be left when their turn comes."""


@dataclass(frozen=True, slots=True)
class Scene:
    view: RoomView
    stock: Stock
    at: tuple[int, int]
    """Epoch and version: nobody is shown two things under one of them."""
    announcement: tuple[object, ...]
    """What nobody hears later than others."""
    common: tuple[object, ...]
    """What everybody is shown, besides versions."""
    has_order: bool
    reach: Reach
    sold_out_number: int
    """From this one on nothing will be left."""
    others: tuple[Prospect, ...]
    """By `Stand`, of those without a number that counts."""

    @classmethod
    def of(cls, view: RoomView, stock: Stock, bands: Bands) -> "Scene":
        room = view.room
        announcement = (room.epoch, room.status, room.opens_at, room.settings.message, room.settings.queueing_method)
        sold_out_behind = forecast_sold_out(stock, room.flow).sold_out_from
        line = view.state.positions
        ahead = (room.slots_taken, 0, room.waiting_count + room.slots_taken)
        behind_s = (bands.rest_s, CALLED_BEHIND_S, OUTSIDE_BEHIND_S)
        return cls(
            view=view,
            stock=stock,
            at=(room.epoch, room.version),
            announcement=announcement,
            common=(*announcement, room.serving_number, room.waiting_count, stock.epoch, stock.tiers),
            has_order=room.settings.queueing_method is not QueueingMethod.RANDOM,
            reach=bands.in_line(line),
            sold_out_number=_first_number(line, sold_out_behind - room.slots_taken + 1),
            others=tuple(zip(behind_s, (people >= sold_out_behind for people in ahead), strict=True)),
        )

    def prospect(self, stand: Stand, number: int | None) -> Prospect:
        if number is None or stand is not Stand.IN_LINE or not self.has_order:
            return self.others[stand]
        return self.reach.of(number), number >= self.sold_out_number


def _first_number(line: QueuePositions, position: float) -> int:
    """Of those who stand at this position or behind it; one behind the tail if nobody does."""
    numbers = range(line.serving_number + 1, line.tail + 1)
    return line.serving_number + 1 + bisect_left(numbers, position, key=line.position)
