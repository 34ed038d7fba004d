"""What transports, publishers and the rest of Onsale share: operations, sources, snapshots, presence.

Transports start operations through an `OperationRunner`. Publishers read through a `SnapshotReader`,
render through a `Source` and report who is connected to a `PresenceStore`. Each protocol is defined
here once and implemented elsewhere.
"""

from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias, TypeVar

from domain.estimates.wait_estimates import WaitTable
from domain.holds import Hold
from domain.ids import ConcertId, HoldId, OrderId, PersonId
from domain.orders import Order
from domain.queues import WaitingRoom
from domain.stock import Stock, StockAhead
from domain.topics import QueueSnapshot, Snapshot, Topic
from storage.hot.queue_state import Changes, QueueState
from storage.hot.queues import EntryRecord

# Operations: what a transport asks for, and what it gets


@dataclass(frozen=True, slots=True)
class OperationRequest:
    """The payload of a subscribe message, its shape checked."""

    document: str | None
    """None if only `extensions` say which document is meant."""
    variables: Mapping[str, object]
    name: str | None
    extensions: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Answered:
    """A query or mutation was executed."""

    payload: bytes
    """JSON of its execution result."""


@dataclass(frozen=True, slots=True)
class Rejected:
    """Nothing was executed: the operation is invalid, denied, or cannot be served now."""

    errors: bytes
    """JSON, a list of GraphQL errors."""


class SubscriptionHandle(Protocol):
    """A running subscription, which delivers until it is closed."""

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Rendered:
    """One payload of a subscription."""

    payload: bytes
    """JSON of an execution result, `{"data": …}`."""
    is_last: bool = False
    """True if nothing can follow: the transport completes the subscription."""
    key: Hashable = None
    """What is shown, where one topic shows several things: a slow client skips to the newest state of each."""


Outcome: TypeAlias = Answered | Rejected | SubscriptionHandle
Deliver: TypeAlias = Callable[[Rendered], None]


class Caller(Protocol):
    """The person whose token a client sent."""

    @property
    def person_id(self) -> PersonId: ...

    @property
    def expires_at(self) -> float | None:
        """Unix seconds at which the token expires."""
        ...


C = TypeVar("C", bound=Caller)
C_co = TypeVar("C_co", bound=Caller, covariant=True)
C_contra = TypeVar("C_contra", bound=Caller, contravariant=True)


class Verifier(Protocol[C_co]):
    async def verify(self, token: str) -> C_co:
        """Return the caller. Raises Unauthenticated, or TemporarilyUnavailable where the issuer is away."""
        ...


class OperationRunner(Protocol[C_contra]):
    async def start(
        self, request: OperationRequest, deliver: Deliver, *, caller: C_contra | None, address: str | None
    ) -> Outcome:
        """Start an operation; a subscription calls `deliver`, which never blocks, until its handle is closed.

        Expected failures come back as Rejected.
        """
        ...


# Sources: how a publisher renders a subscription, knowing nothing of GraphQL


class Source(Protocol):
    """One subscription operation, validated, its permissions checked."""

    @property
    def topic(self) -> Topic: ...

    @property
    def group(self) -> Hashable:
        """Sources of one topic and one group have the same payload, so one of them renders for all."""

    def render_cached(self, snapshot: Snapshot) -> Rendered | None:
        """Return what `render` would return, where it is known without an execution."""

    async def render(self, snapshot: Snapshot) -> Rendered: ...


# Snapshots: what publishers read


@dataclass(frozen=True, slots=True)
class RoomSnapshot:
    """A waiting room and its queue at one version; every position and estimate of that version comes from here."""

    room: WaitingRoom
    state: QueueState
    wait_table: WaitTable


@dataclass(frozen=True, slots=True)
class ConcertSnapshot:
    """Everything that is published of a concert, at one version, and who changed since the version before."""

    room_snapshot: RoomSnapshot
    stock: Stock
    changes: Changes


class SnapshotReader(Protocol):
    """Calls of one turn of the loop reach the store together, in their order."""

    async def read_snapshot(self, concert_id: ConcertId, *, after: int) -> ConcertSnapshot:
        """Read the snapshot, with the changes after the version `after`, and let the next change publish a hint."""
        ...

    async def read_entries(self, concert_id: ConcertId, people: Sequence[PersonId]) -> dict[PersonId, EntryRecord]: ...

    async def read_holds(self, concert_id: ConcertId, person_id: PersonId) -> tuple[Hold, ...]: ...

    async def read_hold(self, concert_id: ConcertId, hold_id: HoldId) -> Hold | None: ...

    async def read_orders(self, order_ids: Collection[OrderId]) -> tuple[Order, ...]: ...

    def build_queue_snapshot(
        self, snapshot: RoomSnapshot, record: EntryRecord | None, stock: Stock, stock_ahead: StockAhead
    ) -> QueueSnapshot: ...


class PresenceStore(Protocol):
    """Records which people have a connection at which process."""

    async def sync_presence(
        self, concert_id: ConcertId, process: str, people: Sequence[tuple[PersonId, int]], *, is_known: bool
    ) -> None:
        """Renew the lease of `process` and record who connected (above 0) or disconnected (below 0).

        Raises LeaseExpired for a process whose lease is over, and, if `is_known`, for one the store has forgotten.
        """
