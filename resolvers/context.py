"""The context of one request: the stores, the viewer, the request id and the memoized reads."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from auth.passes import PassSigner
from auth.viewer import Rights, Viewer
from domain.concerts import Concert
from domain.errors import TemporarilyUnavailable, Unauthenticated
from domain.holds import Hold
from domain.ids import ConcertId, PersonId
from domain.queues import QueueEntry, WaitingRoom
from domain.stock import Stock
from payments.checkout import Checkout
from payments.saga.order_payments import OrderPayments
from payments.unreachable import UnreachableProvider
from resolvers.analytics.sums_cache import SumsCache
from resolvers.call_limits import CallLimits
from resolvers.history import SoldCounts
from resolvers.load_once import LoadOnce
from resolvers.tickets.transfer_mails import NoTransferMails, TransferMails
from resolvers.wait_tables import WaitTableCache
from storage.connect import Stores
from storage.time_slice import TimeSlice
from tickets.concert_keys import ConcertKeys, KeyRings
from tickets.keys import TicketKeys

Item = TypeVar("Item")

TURNS_PER_SLICE = 20
"""The number of event loop iterations left to other requests after each slice of a long page."""


NOT_SIGNED_IN = (
    "You are not signed in; send `Authorization: Bearer <access token>`,"
    " on a WebSocket in the payload of connection_init."
)


@dataclass(slots=True)
class SharedExecution:
    """An execution for several viewers with the same rights, who all get its result."""

    viewer_rights: Rights
    is_viewer_read: bool = False
    """Whether a field has read the viewer. If so, the result must not be shared."""


class _Reads:
    """The memoized reads of one context."""

    __slots__ = ("concerts", "fields", "rooms", "stocks", "viewer_concerts", "viewer_entries", "viewer_holds")

    def __init__(self) -> None:
        self.concerts: LoadOnce[ConcertId, Concert | None] = LoadOnce()
        self.stocks: LoadOnce[ConcertId, Stock] = LoadOnce()
        self.rooms: LoadOnce[ConcertId, WaitingRoom | None] = LoadOnce()
        self.fields: LoadOnce[tuple[str, int, str], object] = LoadOnce()
        self.viewer_concerts: LoadOnce[PersonId, tuple[ConcertId, ...]] = LoadOnce()
        self.viewer_entries: LoadOnce[ConcertId, QueueEntry | None] = LoadOnce()
        self.viewer_holds: LoadOnce[ConcertId, Hold | None] = LoadOnce()

    def clear(self) -> None:
        for name in self.__slots__:
            getattr(self, name).clear()


@dataclass(slots=True, eq=False)
class Context:
    """The context of one request, or of one event of a subscription. Its fields do not change.

    No two requests or events share a context, so all reads in one context are equally recent. It is
    not frozen, because each request creates one, and a frozen one takes three times as long.
    """

    stores: Stores
    passes: PassSigner
    given_viewer: Viewer | None
    """The viewer; see the property `viewer`."""
    request_id: str
    address: str | None = None
    """The address of the client, if known."""
    is_push: bool = False
    """Whether this is an event of a subscription, which reads concerts only from the cache."""
    shared: SharedExecution | None = None
    """Set if several viewers get the result."""
    wait_tables: WaitTableCache = field(default_factory=WaitTableCache)
    sold_counts: SoldCounts = field(default_factory=SoldCounts)
    sums: SumsCache = field(default_factory=SumsCache)
    signed_in_may_buy: bool = False
    """Whether people may buy and queue without the role `customer`."""
    call_limits: CallLimits = field(default_factory=CallLimits)
    checkout: Checkout = field(default_factory=Checkout)
    given_ticket_keys: TicketKeys | None = None
    """None in a process that shows no ticket codes."""
    key_rings: KeyRings = field(default_factory=KeyRings)
    site_url: str = ""
    """The URL at which browsers reach this server. Empty in a process without pages."""
    given_payments: OrderPayments | None = None
    """None in a process that takes no payments."""
    transfer_mails: TransferMails = field(default_factory=NoTransferMails)
    refused_codes: list[str] = field(default_factory=list, init=False, compare=False)
    """The codes of the errors with which mutations of the request were answered."""
    _list_lock: asyncio.Lock | None = field(default=None, init=False, repr=False)
    _time_slice: TimeSlice | None = field(default=None, init=False, repr=False)
    _reads: _Reads | None = field(default=None, init=False, repr=False)

    @property
    def concerts(self) -> LoadOnce[ConcertId, Concert | None]:
        return self._memoized().concerts

    @property
    def stocks(self) -> LoadOnce[ConcertId, Stock]:
        return self._memoized().stocks

    @property
    def rooms(self) -> LoadOnce[ConcertId, WaitingRoom | None]:
        return self._memoized().rooms

    @property
    def fields(self) -> LoadOnce[tuple[str, int, str], object]:
        """Return the memoized results of fields, by name, object and arguments."""
        return self._memoized().fields

    @property
    def viewer_concerts(self) -> LoadOnce[PersonId, tuple[ConcertId, ...]]:
        return self._memoized().viewer_concerts

    @property
    def viewer_entries(self) -> LoadOnce[ConcertId, QueueEntry | None]:
        return self._memoized().viewer_entries

    @property
    def viewer_holds(self) -> LoadOnce[ConcertId, Hold | None]:
        return self._memoized().viewer_holds

    def _memoized(self) -> _Reads:
        """Return the memoized reads, which are created on first use: a hold has none."""
        if self._reads is None:
            self._reads = _Reads()
        return self._reads

    @property
    def viewer(self) -> Viewer | None:
        """Return the viewer, or None for an anonymous caller.

        A shared execution has no viewer. Once a field asks for one, its result is no longer
        shared.
        """
        if self.shared is not None:
            self.shared.is_viewer_read = True
            return None
        return self.given_viewer

    def organizes(self, organizer_id: PersonId | None) -> bool:
        """Return whether the viewer has the rights of a concert's organizer.

        A shared execution answers from its rights, without reading the viewer.
        """
        if self.shared is not None:
            return self.shared.viewer_rights.organizes(organizer_id)
        return self.given_viewer is not None and self.given_viewer.organizes(organizer_id)

    @property
    def payments(self) -> OrderPayments:
        """Return the payments of this process. Without a provider, orders stay unpaid."""
        return self.given_payments or OrderPayments(self.stores, UnreachableProvider())

    @property
    def ticket_keys(self) -> TicketKeys:
        """Return the keys of ticket codes. Raises TemporarilyUnavailable in a process without
        them.
        """
        if self.given_ticket_keys is None:
            raise TemporarilyUnavailable("This server has no keys for ticket codes")
        return self.given_ticket_keys

    @property
    def concert_keys(self) -> ConcertKeys:
        """Return the keys of concerts. Raises TemporarilyUnavailable in a process without keys."""
        return ConcertKeys(self.ticket_keys, self.stores.ticket_keys, self.key_rings)

    def signed_in(self) -> Viewer:
        """Return the viewer. Raises Unauthenticated for an anonymous caller."""
        viewer = self.viewer
        if viewer is None:
            raise Unauthenticated(NOT_SIGNED_IN)
        return viewer

    async def iterate(self, items: Sequence[Item]) -> AsyncIterator[Item]:
        """Yield the items, and let the event loop do other work between them.

        A request iterates over one list at a time, and all its lists share one time slice, because
        the slices of many lists would add up.
        """
        if self._list_lock is None or self._time_slice is None:
            self._list_lock, self._time_slice = asyncio.Lock(), TimeSlice(turns=TURNS_PER_SLICE)
        time_slice = self._time_slice
        async with self._list_lock:
            for item in items:
                await time_slice.checkpoint()
                yield item

    def clear(self) -> None:
        """Clear the memos of all reads.

        The mutations in a document run in order, and the result of each must show the state after
        it.
        """
        if self._reads is not None:
            self._reads.clear()


@dataclass(frozen=True, slots=True)
class Resources:
    """The resources that a process opens once for all requests and connections."""

    stores: Stores
    passes: PassSigner
    wait_tables: WaitTableCache = field(default_factory=WaitTableCache)
    sold_counts: SoldCounts = field(default_factory=SoldCounts)
    sums: SumsCache = field(default_factory=SumsCache)
    signed_in_may_buy: bool = False
    call_limits: CallLimits = field(default_factory=CallLimits)
    checkout: Checkout = field(default_factory=Checkout)
    ticket_keys: TicketKeys | None = None
    """None in a process that shows no ticket codes."""
    key_rings: KeyRings = field(default_factory=KeyRings)
    site_url: str = ""
    payments: OrderPayments | None = None
    """None in a process that takes no payments."""
    transfer_mails: TransferMails = field(default_factory=NoTransferMails)

    @property
    def concert_keys(self) -> ConcertKeys:
        """Return the keys of concerts, in a process that has keys."""
        assert self.ticket_keys is not None
        return ConcertKeys(self.ticket_keys, self.stores.ticket_keys, self.key_rings)

    def context(self, viewer: Viewer | None, request_id: str, address: str | None = None) -> Context:
        return Context(
            self.stores,
            self.passes,
            viewer,
            request_id,
            address,
            wait_tables=self.wait_tables,
            sold_counts=self.sold_counts,
            sums=self.sums,
            signed_in_may_buy=self.signed_in_may_buy,
            call_limits=self.call_limits,
            checkout=self.checkout,
            given_ticket_keys=self.ticket_keys,
            key_rings=self.key_rings,
            site_url=self.site_url,
            given_payments=self.payments,
            transfer_mails=self.transfer_mails,
        )
