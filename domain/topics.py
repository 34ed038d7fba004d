"""Subscription topics and their snapshots.

A snapshot is always the whole state at one version, never an event.
"""

from dataclasses import dataclass

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


Topic = StockTopic | QueueTopic | RoomTopic | HoldsTopic | OrderTopic


@dataclass(frozen=True, slots=True)
class QueueSnapshot:
    """A queue topic's state; `entry` is None for a person who has never joined."""

    entry: QueueEntry | None
    room: WaitingRoom
    stock: Stock
    stock_ahead: StockAhead = StockAhead.AVAILABLE


Snapshot = Stock | QueueSnapshot | WaitingRoom | Hold | Order
"""The snapshots of StockTopic, QueueTopic, RoomTopic, HoldsTopic and OrderTopic, in that order."""
