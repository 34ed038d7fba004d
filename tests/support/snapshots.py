"""Sample snapshots that the hub could render, and fake stores with one concert and one order."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import cast

from auth.viewer import Viewer
from domain.concerts import Concert, ConcertStatus, ConcertTerms, Tier, Venue
from domain.errors import NotFound, OnsaleError
from domain.estimates.room_flow import RoomFlow
from domain.holds import EndReason, Hold, HoldState, TicketLine
from domain.ids import ConcertId, EntryId, HoldId, OrderId, PersonId, TierId
from domain.money import CurrencyCode
from domain.orders import Customer, Order, OrderStatus
from domain.queues import EntryState, PassStatus, QueueEntry, QueuePass, RoomSettings, RoomStatus, WaitingRoom
from domain.stock import Stock, TierStock
from domain.topics import QueueSnapshot, StockSnapshot
from resolvers.context import Context
from storage.connect import Stores
from tests.support.sale import PASSES

NOW = datetime.now(UTC).replace(microsecond=0)
ALICE = PersonId("alice")
TIER = TierId("abcdefghjkmn-1")
LINES = (TicketLine(TIER, quantity=2, unit_price_minor=4_950),)
CONCERT = Concert(
    terms=ConcertTerms(
        name="Goldberg Variations",
        venue=Venue("Concertgebouw", "Amsterdam", "NL", "Europe/Amsterdam"),
        description="",
        starts_at=NOW + timedelta(days=30),
        sales_start_at=NOW - timedelta(hours=1),
        sales_end_at=NOW + timedelta(days=29),
        limit_per_order=10,
        limit_per_person=10,
        hold_duration_ms=600_000,
    ),
    id=ConcertId("abcdefghjkmn"),
    slug="goldberg",
    currency=CurrencyCode.EUR,
    tiers=(Tier(TIER, "Floor", 4_950, capacity=10, top=10),),
    status=ConcertStatus.PUBLISHED,
    version=1,
    epoch=1,
    created_by=PersonId("olivia"),
    organizer_id=PersonId("olivia"),
    created_at=NOW,
    room=RoomSettings(suspended=False),
)
ORDER = Order(
    id=OrderId("a" * 32),
    concert_id=CONCERT.id,
    person_id=ALICE,
    status=OrderStatus.PAID,
    units=(),
    released_units=(),
    lines=LINES,
    currency=CurrencyCode.EUR,
    customer=Customer("Alice", "alice@example.org"),
    version=1,
    events=(),
    created_at=NOW,
)
STOCK = Stock(
    epoch=1,
    version=7,
    tiers=(TierStock(TIER, capacity=10, held=2, sold=3, price_minor=4_950),),
    currency=CurrencyCode.EUR,
)
ROOM = WaitingRoom(
    concert_id=CONCERT.id,
    organizer_id=CONCERT.organizer_id,
    settings=CONCERT.room,
    status=RoomStatus.OPEN,
    opens_at=CONCERT.terms.sales_start_at,
    epoch=1,
    version=9,
    serving_number=40,
    tail=100,
    waiting_count=55,
    slots_taken=3,
    passes_issued=12,
    flow=RoomFlow(now_s=NOW.timestamp(), opened_s=CONCERT.terms.sales_start_at.timestamp()),
)
SALE = StockSnapshot(STOCK, ROOM)


def hold(id_: str = "b" * 32, *, state: HoldState = HoldState.HELD, reason: EndReason | None = None) -> Hold:
    now_ms = round(NOW.timestamp() * 1000)
    return Hold(HoldId(id_), CONCERT.id, ALICE, state, reason, (), LINES, now_ms, now_ms + 600_000)


def entry(state: EntryState, position: int = 0, *, token: str | None = None) -> QueueEntry:
    """Return alice's entry, number 42, with a pass if she was admitted."""
    deadline = NOW + timedelta(minutes=5)
    had_pass = state not in (EntryState.WAITING, EntryState.READY)
    return QueueEntry(
        concert_id=CONCERT.id,
        person_id=ALICE,
        entry_id=EntryId(142),
        number=42,
        state=state,
        position=position,
        joined_at=NOW,
        expires_at=deadline,
        queue_pass=QueuePass("pass", token, PassStatus.CREATED, deadline) if had_pass else None,
    )


def queue_snapshot(found: QueueEntry | None) -> QueueSnapshot:
    return QueueSnapshot(found, ROOM, STOCK)


@dataclass
class FakeStores:
    """Stores that contain CONCERT and ORDER. They record each read, and raise `trouble` if set."""

    concert: Concert = CONCERT
    trouble: OnsaleError | None = None
    reads: list[str] = field(default_factory=list)

    @property
    def concerts(self) -> "_Concerts":
        return _Concerts(self)

    @property
    def concert_cache(self) -> "_ConcertCache":
        return _ConcertCache(self)

    @property
    def orders(self) -> "_Orders":
        return _Orders(self)

    def read(self, name: str) -> None:
        self.reads.append(name)
        if self.trouble:
            raise self.trouble

    def find(self, concert_id: ConcertId) -> Concert | None:
        return self.concert if concert_id == self.concert.id else None

    def context(self, viewer: Viewer | None, request_id: str = "r1") -> Context:
        return Context(cast("Stores", self), PASSES, viewer, request_id)


@dataclass
class _Concerts:
    stores: FakeStores

    async def get(self, concert_id: ConcertId) -> Concert | None:
        self.stores.read("concert")
        return self.stores.find(concert_id)

    async def currency_of(self, concert_id: ConcertId) -> CurrencyCode:
        self.stores.read("currency")
        if concert_id != self.stores.concert.id:
            raise NotFound("Concert", concert_id)
        return self.stores.concert.currency


@dataclass
class _ConcertCache:
    stores: FakeStores

    async def get(self, concert_id: ConcertId) -> Concert | None:
        self.stores.read("cached concert")
        return self.stores.find(concert_id)


@dataclass
class _Orders:
    stores: FakeStores

    async def get(self, order_id: OrderId) -> Order | None:
        self.stores.read("order")
        return ORDER if order_id == ORDER.id else None
