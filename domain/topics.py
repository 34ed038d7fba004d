"""Subscription topics and their snapshots.

A snapshot is always the whole state at one version, never an event.
"""

from dataclasses import dataclass
from typing import NamedTuple

from domain.analytics.sales import ConcertSales
from domain.holds import Hold
from domain.ids import ConcertId, OrderId, PersonId
from domain.orders import Order
from domain.queues import QueueEntry, WaitingRoom
from domain.stock import Stock, StockAhead


@dataclass(frozen=True, slots=True)
class StockTopic:
    concert_id: ConcertId


@dataclass(frozen=True, slots=True)
class QueueTopic:
    """One person's queue entry, and the waiting room."""

    concert_id: ConcertId
    person_id: PersonId


@dataclass(frozen=True, slots=True)
class RoomTopic:
    """A waiting room, for the organizer and admins."""

    concert_id: ConcertId


@dataclass(frozen=True, slots=True)
class HoldsTopic:
    """One person's holds for a concert. Each hold is published when it changes."""

    concert_id: ConcertId
    person_id: PersonId


@dataclass(frozen=True, slots=True)
class OrderTopic:
    order_id: OrderId


@dataclass(frozen=True, slots=True)
class SalesTopic:
    """The sales of a concert, for the organizer and admins."""

    concert_id: ConcertId


Topic = StockTopic | QueueTopic | RoomTopic | HoldsTopic | OrderTopic | SalesTopic


@dataclass(frozen=True, slots=True)
class StockSnapshot:
    """A stock topic's state: the stock, and the waiting room at the same version."""

    stock: Stock
    """The whole stock, with hidden tiers."""
    room: WaitingRoom

    @property
    def organizer_id(self) -> PersonId | None:
        return self.stock.organizer_id


@dataclass(frozen=True, slots=True)
class QueueSnapshot:
    """A queue topic's state; `entry` is None for a person who has never joined."""

    entry: QueueEntry | None
    room: WaitingRoom
    stock: Stock
    """The whole stock, with hidden tiers. `QueuePosition.stock` shows the public part of it."""
    stock_ahead: StockAhead = StockAhead.AVAILABLE


class EntryNumbers(NamedTuple):
    """The numbers that a version shows of a waiting person's entry. Each may be None."""

    number: int | None
    position: int | None
    p50_s: int | None
    p90_s: int | None


NO_NUMBERS = EntryNumbers(None, None, None, None)

Snapshot = StockSnapshot | QueueSnapshot | WaitingRoom | Hold | Order | ConcertSales
"""The snapshots of StockTopic, QueueTopic, RoomTopic, HoldsTopic, OrderTopic and SalesTopic, in
that order.
"""
