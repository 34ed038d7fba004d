"""Interfaces between transports, publishers and the rest of Onsale.

Transports start operations through an `OperationRunner`. Publishers read through a
`SnapshotReader`, render through a `Source` and report connected people to a `PresenceStore`. These
protocols are implemented elsewhere.
"""

from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias, TypeVar

from starlette.datastructures import Headers

from domain.analytics.sales import ConcertSales
from domain.estimates.wait_estimates import WaitTable
from domain.holds import Hold
from domain.ids import ConcertId, HoldId, OrderId, PersonId
from domain.orders import Order
from domain.queues import WaitingRoom
from domain.stock import Stock, StockAhead
from domain.topics import EntryNumbers, QueueSnapshot, Snapshot, Topic
from storage.hot.queue_state import Changes, QueueState
from storage.hot.queues import EntryRecord

# Operations: requests from a transport, and their outcomes


@dataclass(frozen=True, slots=True)
class OperationRequest:
    """The checked payload of a subscribe message."""

    document: str | None
    """The GraphQL document, or None if `document_id` or `extensions` identify it."""
    variables: Mapping[str, object]
    name: str | None
    extensions: Mapping[str, object]
    document_id: str | None = None


@dataclass(frozen=True, slots=True)
class Answered:
    """The result of a query, a mutation, or a subscription to data that no longer changes."""

    payload: bytes
    """The execution result as JSON."""


@dataclass(frozen=True, slots=True)
class Rejected:
    """An operation that was not executed: it is invalid, is denied, or cannot be served now."""

    errors: bytes
    """A list of GraphQL errors as JSON."""


@dataclass(frozen=True, slots=True)
class Ended:
    """A subscription that has nothing to show, now or later."""


class SubscriptionHandle(Protocol):
    """A running subscription, which delivers payloads until it is closed."""

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Rendered:
    """One payload of a subscription."""

    payload: bytes
    """An execution result as JSON, `{"data": …}`."""
    is_last: bool = False
    """Whether the transport completes the subscription after this payload."""
    key: Hashable = None
    """Identifies the object shown, if a topic has several.

    A slow client gets only the newest state of each object.
    """
    frames: dict[bytes, bytes] = field(default_factory=dict, init=False, repr=False, compare=False)
    """The WebSocket frames with this payload, by the beginning of their messages.

    Sockets fill it, so that those with the same operation id share one frame.
    """


Outcome: TypeAlias = Answered | Rejected | Ended | SubscriptionHandle
Deliver: TypeAlias = Callable[[Rendered], None]


class Caller(Protocol):
    """The person who is signed in."""

    @property
    def person_id(self) -> PersonId: ...

    @property
    def expires_at(self) -> float | None:
        """Return when the token expires, in Unix seconds, or None if it does not expire.

        A session has no fixed end and is rechecked instead.
        """
        ...

    @property
    def issued_at(self) -> float:
        """Return when the token was issued, in Unix seconds."""
        ...

    @property
    def session_id(self) -> str | None:
        """Return the id of the session at the issuer, or None if the token contains none."""
        ...


C = TypeVar("C", bound=Caller)
C_co = TypeVar("C_co", bound=Caller, covariant=True)
C_contra = TypeVar("C_contra", bound=Caller, contravariant=True)


class Recheck(Protocol):
    """Rechecks a caller whose connection has no fixed end."""

    def delay_s(self) -> float:
        """Return the number of seconds until the next check."""
        ...

    async def check(self) -> None:
        """Raises SessionLost, or TemporarilyUnavailable after a long time without a success."""
        ...


class Identified(Protocol[C_co]):
    @property
    def caller(self) -> C_co | None:
        """Return the caller, or None if the connection is anonymous."""
        ...

    @property
    def recheck(self) -> Recheck | None: ...


class Authenticator(Protocol[C_co]):
    """Decides who the caller of a socket is."""

    def refusal_for_upgrade(self, headers: Headers) -> str | None:
        """Return why a socket may not be opened, or None if it may."""
        ...

    async def identify_socket(self, headers: Headers, authorization: object) -> Identified[C_co]:
        """Return the caller.

        `headers` come from the upgrade request. `authorization` is the value in connection_init, or
        None. Raises Unauthenticated, SessionLost, or TemporarilyUnavailable.
        """
        ...


class OperationRunner(Protocol[C_contra]):
    async def start(
        self, request: OperationRequest, deliver: Deliver, *, caller: C_contra | None, address: str | None
    ) -> Outcome:
        """Start an operation and return its outcome.

        A subscription calls `deliver`, which never blocks, until its handle is closed. Expected
        failures are returned as Rejected.
        """
        ...


# Sources: they render subscriptions for the publishers, which know nothing about GraphQL


class SharedGroup(Hashable, Protocol):
    """Sources that share a payload, because it depends on their rights but not on the person."""

    async def render(self, snapshot: Snapshot) -> Rendered | None:
        """Return the payload, or None if it turned out to depend on the person.

        In that case, the sources share nothing from then on.
        """


class Source(Protocol):
    """One validated and authorized subscription operation."""

    @property
    def topic(self) -> Topic: ...

    @property
    def group(self) -> Hashable:
        """Return the operation and the person. Sources with the same topic and group share a
        payload, so one of them renders it for all.
        """

    @property
    def has_varying_rights(self) -> bool:
        """Return whether `shared_group` may differ between snapshots."""

    def shared_group(self, snapshot: Snapshot) -> SharedGroup | None:
        """Return the group that renders this snapshot for the source, or None if the source does so
        itself, with `render`.
        """

    def render_cached(self, snapshot: Snapshot) -> Rendered | None:
        """Return the result of `render`, or None if that requires executing the operation."""

    async def render(self, snapshot: Snapshot) -> Rendered: ...

    def entry_writer(self, snapshot: QueueSnapshot) -> "EntryWriter | None":
        """Return a writer for the next payloads of the person whose snapshot was rendered.

        Returns None if each of them must be rendered.
        """


class EntryWriter(Protocol):
    """Writes the payloads of a person as long as only the numbers of the person's entry change."""

    def write(self, common: QueueSnapshot, numbers: EntryNumbers) -> Rendered | None:
        """Return the payload at the version of `common`, a snapshot without an entry.

        Returns None if that requires rendering.
        """


# Snapshots: what publishers read


@dataclass(frozen=True, slots=True)
class RoomSnapshot:
    """A waiting room and its queue at one version.

    All positions and estimates of that version are computed from it.
    """

    room: WaitingRoom
    state: QueueState
    wait_table: WaitTable


@dataclass(frozen=True, slots=True)
class ConcertSnapshot:
    """The published data of a concert at one version.

    It includes the people whose data changed since an earlier version.
    """

    room_snapshot: RoomSnapshot
    stock: Stock
    changes: Changes


class SnapshotReader(Protocol):
    """A reader of snapshots.

    Calls made in one turn of the event loop reach the store together and in order.
    """

    async def read_snapshot(self, concert_id: ConcertId, *, after: int) -> ConcertSnapshot:
        """Return the snapshot, with the changes after the version `after`.

        The next change after this read publishes a hint again.
        """
        ...

    async def read_entries(self, concert_id: ConcertId, people: Sequence[PersonId]) -> dict[PersonId, EntryRecord]: ...

    async def read_holds(self, concert_id: ConcertId, person_id: PersonId) -> tuple[Hold, ...]: ...

    async def read_hold(self, concert_id: ConcertId, hold_id: HoldId) -> Hold | None: ...

    async def read_orders(self, order_ids: Collection[OrderId]) -> tuple[Order, ...]: ...

    async def read_sales(self, concert_id: ConcertId) -> ConcertSales: ...

    def build_queue_snapshot(
        self, snapshot: RoomSnapshot, record: EntryRecord | None, stock: Stock, stock_ahead: StockAhead
    ) -> QueueSnapshot: ...


class PresenceStore(Protocol):
    """A store that records which people are connected to which process."""

    async def sync_presence(
        self, concert_id: ConcertId, process: str, people: Sequence[tuple[PersonId, int]], *, is_known: bool
    ) -> None:
        """Renew the lease of `process`, and record connections and disconnections.

        `people` pairs each person with a sequence number, which is negative for a disconnection.
        Raises LeaseExpired if the lease has expired or, with `is_known`, if the store does not know
        the process.
        """
