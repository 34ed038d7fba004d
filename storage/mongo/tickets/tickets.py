"""Reads tickets, which are stored in their orders."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from pymongo import ASCENDING, DESCENDING
from pymongo.read_concern import ReadConcern

from domain.errors import BadUserInput
from domain.ids import ConcertId, OrderId, PersonId, TicketId, ticket_id
from domain.orders import Order
from domain.page import Page, PageRequest
from domain.tickets.ticket import Revocation, Ticket
from storage.mongo.client import Database, Document, raises_unavailable
from storage.mongo.cursors import key_of, make_cursor, name_list
from storage.mongo.order_documents import order_from_document
from storage.mongo.tickets.ticket_documents import revocations_from_document


@dataclass(frozen=True, slots=True)
class OrderTicket:
    """A ticket, and the order that it was read with."""

    order: Order
    ticket: Ticket


class TicketStore:
    def __init__(self, database: Database) -> None:
        self._orders = database["orders"]
        # Data that a majority has cannot be rolled back, so the number of revocations never falls.
        self._lasting_orders = self._orders.with_options(read_concern=ReadConcern("majority"))
        self._sequences = database["revocation_sequences"]

    @raises_unavailable
    async def get(self, concert_id: ConcertId, id_: TicketId) -> OrderTicket | None:
        document = await self._orders.find_one({"concertId": concert_id, "tickets.id": id_})
        if document is None:
            return None
        order = order_from_document(document)
        return next(OrderTicket(order, one) for one in order.tickets if ticket_id(order.id, one.unit) == id_)

    @raises_unavailable
    async def find_orders(self, concert_id: ConcertId, ids: Collection[TicketId]) -> tuple[Order, ...]:
        """Return the orders of a concert that have any of these tickets."""
        query: Document = {"concertId": concert_id, "tickets.id": {"$in": list(ids)}}
        return tuple([order_from_document(document) async for document in self._orders.find(query)])

    @raises_unavailable
    async def page_of_holder(self, holder_id: PersonId, request: PageRequest) -> Page[OrderTicket]:
        """Return a page of the tickets that a person holds, from the newest order to the oldest.

        Raises BadUserInput for an invalid cursor.
        """
        query: Document = {"tickets.holderId": holder_id}
        list_name = name_list("tickets", holder_id)
        place = None if request.cursor is None else _place_of(request.cursor, list_name)
        beyond, order = ("$gt", ASCENDING) if request.is_backward else ("$lt", DESCENDING)
        if place is not None:
            here = {"$lte" if request.is_backward else "$gte": place.order_id}
            query["$or"] = [{"createdAt": {beyond: place.moment}}, {"createdAt": place.moment, "_id": here}]
        found = self._orders.find(query).sort([("createdAt", order), ("_id", -order)])
        # Each order has at least one ticket, but all tickets of the first one may be on the other
        # side of the cursor.
        documents: list[Document] = await found.limit(request.limit + 1).to_list(request.limit + 1)
        tickets = [
            (
                make_cursor(list_name, order.created_at, f"{order.id}:{number}"),
                OrderTicket(order, order.tickets[number]),
            )
            for order in map(order_from_document, documents)
            for number in _numbers(order, place, is_backward=request.is_backward)
            if order.tickets[number].holder_id == holder_id
        ]
        return request.build(tickets)

    @raises_unavailable
    async def list_revocations(self, concert_id: ConcertId) -> list[Revocation]:
        """Return the revocations of a concert. Their number is the sequence of the list: none is
        ever removed, so a longer list is a newer one.
        """
        query = {"concertId": concert_id, "revocations.at": {"$exists": True}}
        found = self._lasting_orders.find(query, {"revocations": 1}, batch_size=1000)
        return [one async for document in found for one in revocations_from_document(document)]

    @raises_unavailable
    async def read_sequence(self, concert_id: ConcertId) -> int:
        """Return the highest sequence of the concert's lists that have been sent, or 0."""
        found = await self._sequences.find_one({"_id": concert_id})
        return found["sequence"] if found else 0

    @raises_unavailable
    async def raise_sequence(self, concert_id: ConcertId, sequence: int) -> None:
        """Record that a list with this sequence is being sent."""
        await self._sequences.update_one({"_id": concert_id}, {"$max": {"sequence": sequence}}, upsert=True)


@dataclass(frozen=True, slots=True)
class _Place:
    moment: datetime
    """When the order was created."""
    order_id: OrderId
    number: int
    """The index of the ticket in its order."""


def _numbers(order: Order, place: _Place | None, *, is_backward: bool) -> Sequence[int]:
    """Return the indexes of an order's tickets beyond a position, in the order of reading."""
    numbers = range(len(order.tickets))
    if place is not None and place.order_id == order.id:
        numbers = numbers[: place.number] if is_backward else numbers[place.number + 1 :]
    return numbers[::-1] if is_backward else numbers


def _place_of(cursor: str, list_name: str) -> _Place:
    moment, key = key_of(cursor, list_name)
    order_id, _, number = key.partition(":")
    if not number.isascii() or not number.isdecimal() or len(number) > 6:
        raise BadUserInput(f"{cursor[:64]!r} is not a cursor of this list; send a cursor from its edges.")
    return _Place(moment, OrderId(order_id), int(number))
