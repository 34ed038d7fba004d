"""The context of one request: the stores, the viewer, the request id, and its memoized reads."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from auth.passes import PassSigner
from auth.viewer import Viewer
from domain.concerts import Concert
from domain.errors import Unauthenticated
from domain.ids import ConcertId, PersonId
from domain.queues import WaitingRoom
from domain.stock import Stock
from payments.checkout import Checkout
from payments.saga.order_payments import OrderPayments
from payments.unreachable import UnreachableProvider
from resolvers.call_limits import CallLimits
from resolvers.history import SoldCounts
from resolvers.load_once import LoadOnce
from resolvers.wait_tables import WaitTableCache
from storage.connect import Stores
from storage.time_slice import TimeSlice

Item = TypeVar("Item")

TURNS_PER_SLICE = 20
"""The number of event loop iterations left to other requests after each slice of a long page."""


NOT_SIGNED_IN = (
    "You are not signed in; send `Authorization: Bearer <access token>`,"
    " on a WebSocket in the payload of connection_init."
)


@dataclass(frozen=True, slots=True)
class Context:
    """The context of one request or one event of a subscription.

    Each of them has its own context, so all reads in one context are equally recent.
    """

    stores: Stores
    passes: PassSigner
    viewer: Viewer | None
    request_id: str
    address: str | None = None
    """The address of the client, if known."""
    wait_tables: WaitTableCache = field(default_factory=WaitTableCache)
    sold_counts: SoldCounts = field(default_factory=SoldCounts)
    signed_in_may_buy: bool = False
    """Whether people may buy and queue without the role `customer`."""
    call_limits: CallLimits = field(default_factory=CallLimits)
    checkout: Checkout = field(default_factory=Checkout)
    given_payments: OrderPayments | None = None
    """None in a process that takes no payments."""
    concerts: LoadOnce[ConcertId, Concert | None] = field(default_factory=LoadOnce, init=False, compare=False)
    stocks: LoadOnce[ConcertId, Stock] = field(default_factory=LoadOnce, init=False, compare=False)
    rooms: LoadOnce[ConcertId, WaitingRoom | None] = field(default_factory=LoadOnce, init=False, compare=False)
    list_lock: asyncio.Lock = field(default_factory=asyncio.Lock, init=False, compare=False)
    fields: LoadOnce[tuple[str, int, str], object] = field(default_factory=LoadOnce, init=False, compare=False)
    """Memoized results of fields, by name, object and arguments."""
    viewer_concerts: LoadOnce[PersonId, tuple[ConcertId, ...]] = field(
        default_factory=LoadOnce, init=False, compare=False
    )

    @property
    def payments(self) -> OrderPayments:
        """Return the payments of this process. Without a provider, orders stay unpaid."""
        return self.given_payments or OrderPayments(self.stores, UnreachableProvider())

    def signed_in(self) -> Viewer:
        """Return the viewer. Raises Unauthenticated for an anonymous caller."""
        if self.viewer is None:
            raise Unauthenticated(NOT_SIGNED_IN)
        return self.viewer

    async def iterate(self, items: Sequence[Item]) -> AsyncIterator[Item]:
        """Yield the items, and let the event loop do other work between them.

        A request iterates over one list at a time, because the time slices of concurrent lists
        would add up.
        """
        async with self.list_lock:
            time_slice = TimeSlice(turns=TURNS_PER_SLICE)
            for item in items:
                await time_slice.checkpoint()
                yield item

    def clear(self) -> None:
        """Clear the memos of all reads.

        The mutations in a document run in order, and the result of each must show the state after
        it.
        """
        for memo in (self.concerts, self.stocks, self.rooms, self.fields, self.viewer_concerts):
            memo.clear()


@dataclass(frozen=True, slots=True)
class Resources:
    """The resources that a process opens once for all requests and connections."""

    stores: Stores
    passes: PassSigner
    wait_tables: WaitTableCache = field(default_factory=WaitTableCache)
    sold_counts: SoldCounts = field(default_factory=SoldCounts)
    signed_in_may_buy: bool = False
    call_limits: CallLimits = field(default_factory=CallLimits)
    checkout: Checkout = field(default_factory=Checkout)
    payments: OrderPayments | None = None
    """None in a process that takes no payments."""

    def context(self, viewer: Viewer | None, request_id: str, address: str | None = None) -> Context:
        return Context(
            self.stores,
            self.passes,
            viewer,
            request_id,
            address,
            wait_tables=self.wait_tables,
            sold_counts=self.sold_counts,
            signed_in_may_buy=self.signed_in_may_buy,
            call_limits=self.call_limits,
            checkout=self.checkout,
            given_payments=self.payments,
        )
