"""The state that all subscribers of one queue share at one version.

The snapshot is built once per refresh. It also contains the first number for which no stock will be
left, and the maximum age of a published position for each number.
"""

from bisect import bisect_left
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import TypeVar

from domain.estimates.sold_out_forecast import forecast_sold_out
from domain.queue_positions import QueuePositions
from domain.queues import QueueingMethod
from domain.stock import Stock, StockAhead
from domain.topics import NO_NUMBERS, EntryNumbers, QueueSnapshot
from storage.hot.queues import EntryRecord
from subscriptions.interfaces import RoomSnapshot
from subscriptions.publishing.push_intervals import IntervalsByNumber, PushIntervals

Part = TypeVar("Part")

CALLED_INTERVAL_S = 5.0
"""The push interval for called people.

Changes to their own entries are published immediately. Every other payload costs one execution per
person.
"""
OUTSIDE_INTERVAL_S = 2.0
"""The push interval for people who never joined."""


class Membership(IntEnum):
    """The relation of a person to a queue.

    The entry number matters only for people who are in the queue.
    """

    IN_QUEUE = 0
    CALLED = 1
    OUTSIDE = 2


@dataclass(frozen=True, slots=True)
class SharedSnapshot:
    room_snapshot: RoomSnapshot
    stock: Stock
    """The whole stock, with hidden tiers."""
    version_key: tuple[int, int]
    """The epoch and the version. A person never receives two different payloads for one key."""
    announcement: tuple[object, ...]
    """The fields whose changes are published to every subscriber immediately."""
    common: tuple[object, ...]
    """The fields that are the same for every subscriber, without the versions."""
    is_ordered: bool
    intervals: IntervalsByNumber
    sold_out_number: int
    """The first number for which no stock will be left."""
    intervals_without_number_s: tuple[float, ...]
    """The push intervals for people without a number, indexed by `Membership`."""
    sold_out_without_number: tuple[bool, ...]
    """Whether no stock will be left for people without a number, indexed by `Membership`."""
    without_entry: tuple[QueueSnapshot, QueueSnapshot]
    """The snapshots of a person without an entry, indexed by whether no stock will be left."""
    outdated_common: tuple[object, ...] | None = None
    """`common` of the last version, if this version differs. Most people received that one."""

    @classmethod
    def build(cls, room_snapshot: RoomSnapshot, stock: Stock, push_intervals: PushIntervals) -> "SharedSnapshot":
        room, positions = room_snapshot.room, room_snapshot.state.positions
        over_id, settings, public = room_snapshot.state.over_id, room.settings, stock.public
        is_over = room_snapshot.state.is_over
        announcement = (
            *(room.epoch, room.status, over_id, room.opens_at, settings.message, settings.queueing_method),
            _prices(public),
        )
        sold_out_from = forecast_sold_out(public, room.flow).sold_out_from
        people_ahead = (room.slots_taken, 0, room.waiting_count + room.slots_taken)
        return cls(
            room_snapshot=room_snapshot,
            stock=stock,
            version_key=(room.epoch, room.version),
            announcement=announcement,
            common=(*announcement, room.serving_number, room.waiting_count, public.epoch, public.tiers),
            is_ordered=room.settings.queueing_method is not QueueingMethod.RANDOM,
            intervals=push_intervals.by_number(positions),
            sold_out_number=_first_number_at(positions, sold_out_from - room.slots_taken + 1),
            intervals_without_number_s=(push_intervals.rest_s, CALLED_INTERVAL_S, OUTSIDE_INTERVAL_S),
            sold_out_without_number=tuple(people >= sold_out_from for people in people_ahead),
            without_entry=(
                # The forecast considers only the stock, but the sale may have ended.
                QueueSnapshot(None, room, stock, StockAhead.SOLD_OUT if is_over else StockAhead.AVAILABLE),
                QueueSnapshot(None, room, stock, StockAhead.SOLD_OUT),
            ),
        )

    def reuse(self, last: "SharedSnapshot") -> "SharedSnapshot":
        """Return this snapshot with the objects of the last one where they are equal.

        They are compared once for each subscriber, and comparing identical objects is fastest.
        """
        common = _same(last.common, self.common)
        return replace(
            self,
            version_key=_same(last.version_key, self.version_key),
            announcement=_same(last.announcement, self.announcement),
            common=common,
            outdated_common=None if common is last.common else last.common,
        )

    @property
    def edges(self) -> tuple[int, ...]:
        """Return the numbers at which the push interval or the forecast changes."""
        return (*self.intervals.numbers, self.sold_out_number)

    def numbers_of(self, record: EntryRecord) -> EntryNumbers | None:
        """Return what this version shows of an entry, or None if the entry is not waiting in it."""
        state = self.room_snapshot.state
        if record.round != state.round or record.entry_id <= state.over_id:
            return None
        if record.number is None:
            return NO_NUMBERS
        position = state.positions.waiting_position(record.number)
        if position is None or not self.is_ordered:
            return None if position is None else NO_NUMBERS
        p50_s, p90_s = self.room_snapshot.wait_table.quantiles_s(position) or (None, None)
        return EntryNumbers(record.number, position, p50_s, p90_s)

    def interval_s(self, membership: Membership, number: int | None) -> float:
        """Return the maximum age of the person's published payload, in seconds."""
        if number is None or membership is not Membership.IN_QUEUE or not self.is_ordered:
            return self.intervals_without_number_s[membership]
        return self.intervals.interval_s(number)

    def is_sold_out(self, membership: Membership, number: int | None) -> bool:
        """Return whether no stock will be left when the person is called."""
        if number is None or membership is not Membership.IN_QUEUE or not self.is_ordered:
            return self.sold_out_without_number[membership]
        return number >= self.sold_out_number


def _same(known: Part, new: Part) -> Part:
    return known if known == new else new


def _prices(stock: Stock) -> tuple[int, ...]:
    """Return the shown prices as integers, because they are compared once for each subscriber.

    The integers are the number of tiers, their prices, and the price range.
    """
    found = stock.price_range
    range_ = (found.lowest_minor, found.highest_minor) if found else ()
    return len(stock.tiers), *[tier.price_minor for tier in stock.tiers], *range_


def _first_number_at(positions: QueuePositions, position: float) -> int:
    """Return the first number at this position or behind it.

    Returns one more than the tail if no such number exists.
    """
    numbers = range(positions.serving_number + 1, positions.tail + 1)
    return positions.serving_number + 1 + bisect_left(numbers, position, key=positions.position)
