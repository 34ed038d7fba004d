"""Below a subscription, each field comes from the snapshot or the concert cache, or is refused."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import orjson
import pytest
from graphql import GraphQLObjectType, GraphQLType, get_named_type, is_leaf_type

import schema
from auth.viewer import Role, Viewer
from domain.analytics.sales import ConcertSales, SalesFigures
from domain.catalog.details import ConcertDetails, ConcertLink, Coordinates
from domain.estimates.wait_estimates import WaitEstimate
from domain.images.image import ConcertImage, ImageId, ImageSize, MediaId
from domain.orders import Order
from domain.payments.payment import Refund, RefundReason
from domain.queues import EntryState
from domain.tickets.check_ins import check_in_all
from domain.tickets.ticket import DeadScan, ScanProblem
from domain.topics import Snapshot
from payments.checkout import Checkout
from resolvers.context import Context
from schema import Operation, OperationResult, ids, start
from schema.execution.pushed_fields import is_shown
from subscriptions.interfaces import Source
from tests.support.payment_orders import NOW, pending_order, with_intent
from tests.support.sale import viewer
from tests.support.snapshots import CONCERT, ORDER, ROOM, SALE, TIER, FakeStores, entry, hold, queue_snapshot
from tests.support.ticket_orders import offered, paid_order, scan, scanned
from tickets.keys import TicketKeys

ALICE, OLIVIA = viewer("alice"), viewer("olivia", Role.ORGANIZER)
CACHED = "cached concert"
DETAILED = replace(
    CONCERT,
    terms=replace(
        CONCERT.terms,
        venue=replace(CONCERT.terms.venue, coordinates=Coordinates(48.2, 11.5)),
        details=ConcertDetails(links=(ConcertLink("Tour", "https://band.example/tour"),)),
    ),
    image=ConcertImage(ImageId("i1"), "A hall.", (ImageSize(MediaId("m1"), 400, 300),)),
)
"""A concert with every detail that a push can show."""

WAITING = replace(entry(EntryState.WAITING, 2), estimate=WaitEstimate(30, 60), lot=3)
SALES = ConcertSales(CONCERT.id, 4, SalesFigures(), {TIER: SalesFigures()})
LINKS = {
    *("Stock.concert", "TierStock.tier", "WaitingRoom.concert", "QueueEntry.concert", "Hold.concert", "Order.concert"),
    *("TicketLine.tier", "Ticket.tier", "Ticket.concert"),
}
"""The fields that read the concert cache, once for each push."""
CONCERT_READS = (
    *("Concert.cancellation", "Concert.sales", "Concert.orderExports"),
    *("Concert.myHold", "Concert.myQueueEntry"),
)
"""The fields of a concert that no push shows."""
REFUSED = {
    "stockChanged": {"WaitingRoom.lottery", "WaitingRoom.audit", *CONCERT_READS},
    "queuePosition": {"QueueEntry.lotteryProof", "WaitingRoom.lottery", "WaitingRoom.audit", *CONCERT_READS},
    "waitingRoomChanged": {
        *("WaitingRoom.lottery", "WaitingRoom.audit", "Concert.stock", *CONCERT_READS),
        *("Tier.available", "Tier.held", "Tier.sold", "Tier.version", "Tier.epoch"),
    },
    "holdChanged": {
        *("Concert.stock", "Concert.waitingRoom", "Hold.order", *CONCERT_READS),
        *("Tier.available", "Tier.held", "Tier.sold", "Tier.version", "Tier.epoch"),
    },
    "orderUpdated": {
        *("Concert.stock", "Concert.waitingRoom", "Order.hold", *CONCERT_READS),
        *("Ticket.code", "Ticket.qrSvg"),
        *("Tier.available", "Tier.held", "Tier.sold", "Tier.version", "Tier.epoch"),
    },
    "salesChanged": {"ConcertSales.overTime", "ConcertSales.queue", "ConcertSales.queueOverTime"},
}
PERSONAL = {"FORBIDDEN", "UNAUTHENTICATED"}
"""The codes of the fields that only the organizer of the concert may see."""


def checked_in_order() -> Order:
    """Return an order with a refund and two tickets. One was offered and used twice, and then a
    person was admitted with a revoked code of it.
    """
    order = offered(paid_order("ann", 1, 2))
    scans = [(0, scanned(order), scan("s1", was_offline=True)), (1, scanned(order), scan("s2", was_offline=True))]
    used, _ = check_in_all(order, scans, NOW)
    assert used.payment is not None
    first, second = used.tickets
    assert first.check_in is not None
    dead = DeadScan(first.check_in, 1, ScanProblem.REPLACED)
    refund = Refund(1, "pi_1", 2_500, (order.units[1],), RefundReason.REQUESTED, NOW)
    return replace(
        used,
        payment=replace(used.payment, refunds=(refund,)),
        tickets=(replace(first, dead_scans=(dead,)), second),
    )


@dataclass(frozen=True, slots=True)
class Pushed:
    """A subscription, its viewer, and snapshots that together contain all objects."""

    viewer: Viewer
    snapshots: tuple[Snapshot, ...]
    own_reads: int = 0
    """Reads of the concert cache that each push makes, whatever is selected."""


PUSHED = {
    "stockChanged": Pushed(ALICE, (SALE,)),
    "queuePosition": Pushed(
        ALICE, (queue_snapshot(WAITING), queue_snapshot(entry(EntryState.ADMITTED, token="secret")))
    ),
    "waitingRoomChanged": Pushed(OLIVIA, (ROOM,)),
    # The currency of a hold and the tiers of the sales come from the concert.
    "holdChanged": Pushed(ALICE, (hold(),), own_reads=1),
    "orderUpdated": Pushed(ALICE, (checked_in_order(), with_intent(pending_order("ann", 1)))),
    "salesChanged": Pushed(OLIVIA, (SALES,), own_reads=1),
}
NOT_SHOWN = {"ConcertProblem", "PaymentDecline", "TicketTransfer"}
"""Types of which no snapshot above contains an object that its viewer may see."""
NOT_SHOWN_TO_CUSTOMERS = {"RoomFlow"}


@dataclass(frozen=True, slots=True)
class Place:
    """An object below a subscription's root: its type, and the fields that lead to it."""

    subscription: str
    type_: GraphQLObjectType
    path: tuple[str, ...] = ()
    coordinates: tuple[str, ...] = ()

    def document(self, selection: str) -> str:
        body = selection
        for name in reversed(self.path):
            body = f"{name} {{ {body} }}"
        argument = "orderId" if self.subscription == "orderUpdated" else "concertId"
        return f"subscription ($id: ID!) {{ {self.subscription}({argument}: $id) {{ {body} }} }}"

    def __str__(self) -> str:
        return ".".join((self.subscription, *self.path))


def selection_of(name: str, type_: GraphQLType) -> str:
    return name if is_leaf_type(get_named_type(type_)) else f"{name} {{ __typename }}"


def places_below(subscription: str) -> Iterator[Place]:
    """Yield each object that a subscription may select, on every path on which no type repeats."""
    root = schema.CORE_SCHEMA.subscription_type
    assert root is not None
    type_ = get_named_type(root.fields[subscription].type)
    assert isinstance(type_, GraphQLObjectType)
    waiting = [(Place(subscription, type_), frozenset({type_.name}))]
    while waiting:
        place, above = waiting.pop()
        yield place
        for name, field in place.type_.fields.items():
            inner, coordinate = get_named_type(field.type), f"{place.type_.name}.{name}"
            if isinstance(inner, GraphQLObjectType) and inner.name not in above and is_shown(subscription, coordinate):
                deeper = Place(subscription, inner, (*place.path, name), (*place.coordinates, coordinate))
                waiting.append((deeper, above | {inner.name}))


PLACES = [place for subscription in PUSHED for place in places_below(subscription)]


async def subscribe(stores: FakeStores, place: Place, selection: str) -> OperationResult | Source:
    pushed = PUSHED[place.subscription]
    id_ = ids.of_order(ORDER.id) if place.subscription == "orderUpdated" else ids.of_concert(CONCERT.id)
    keys, checkout = TicketKeys([bytes(range(32))]), Checkout("sandbox", "pk", "https://pay.example")
    context: Context = replace(stores.context(pushed.viewer), given_ticket_keys=keys, checkout=checkout)
    return await start(Operation(place.document(selection), {"id": id_}, None), context)


def objects_at(found: object, path: tuple[str, ...]) -> list[Any]:
    """Return the objects at the path, of all items of the lists on it."""
    objects: list[Any] = [found]
    for name in path:
        values = [one[name] for one in objects if one is not None]
        objects = [item for value in values for item in (value if isinstance(value, list) else [value])]
    return [one for one in objects if one is not None]


def test_every_subscription_is_walked() -> None:
    root = schema.CORE_SCHEMA.subscription_type
    assert root is not None
    assert set(root.fields) == set(PUSHED) == set(REFUSED)


@pytest.mark.parametrize("place", PLACES, ids=str)
async def test_pushed_object_reads_nothing_but_the_concert_cache(place: Place) -> None:
    names = [name for name in place.type_.fields if is_shown(place.subscription, f"{place.type_.name}.{name}")]
    selected = {*place.coordinates, *(f"{place.type_.name}.{name}" for name in names)}
    selection = " ".join(selection_of(name, place.type_.fields[name].type) for name in names)
    pushed, shown = PUSHED[place.subscription], list[Any]()
    for snapshot in pushed.snapshots:
        stores = FakeStores(DETAILED)
        source = await subscribe(stores, place, selection)
        assert not isinstance(source, OperationResult), source.payload
        stores.reads.clear()
        payload = orjson.loads((await source.render(snapshot)).payload)
        assert {error["extensions"]["code"] for error in payload.get("errors", ())} <= PERSONAL, payload
        found = objects_at(payload["data"][place.subscription], place.path)
        shown += found
        if found:
            assert stores.reads == [CACHED] * (pushed.own_reads + bool(selected & LINKS)), payload
    not_shown = NOT_SHOWN if pushed.viewer is OLIVIA else NOT_SHOWN | NOT_SHOWN_TO_CUSTOMERS
    assert bool(shown) is (place.type_.name not in not_shown)
    assert all(set(one) == set(names) for one in shown)


@pytest.mark.parametrize("subscription", PUSHED)
async def test_field_that_needs_another_read_is_refused(subscription: str) -> None:
    refused = set[str]()
    for place in [place for place in PLACES if place.subscription == subscription]:
        for name, field in place.type_.fields.items():
            coordinate = f"{place.type_.name}.{name}"
            if not is_shown(subscription, coordinate):
                refused.add(coordinate)
                stores = FakeStores()
                result = await subscribe(stores, place, selection_of(name, field.type))
                assert isinstance(result, OperationResult), coordinate
                errors: Any = result.payload["errors"]
                (error,) = errors
                assert error["extensions"]["code"] == "QUERY_TOO_COMPLEX"
                assert error["message"] == (
                    f"`{coordinate}` needs a read that pushes of `{subscription}` do not make; select it in a query"
                    " instead."
                )
                assert (result.was_executed, stores.reads) == (False, [])
    assert refused == REFUSED[subscription]


@pytest.mark.parametrize(
    "document",
    [
        "subscription ($id: ID!) { ...Root } fragment Root on Subscription { holdChanged(concertId: $id) { ...Deep } }"
        " fragment Deep on Hold { concert { ... on Concert { stock { version } } } }",
        "subscription ($id: ID!) { ... { h: holdChanged(concertId: $id) { concert { s: stock @skip(if: true) { epoch }"
        " } } } }",
    ],
    ids=["fragments", "alias and condition"],
)
async def test_fragments_aliases_and_conditions_hide_no_field(document: str) -> None:
    context = FakeStores().context(ALICE)
    result = await start(Operation(document, {"id": ids.of_concert(CONCERT.id)}, None), context)
    assert isinstance(result, OperationResult)
    errors: Any = result.payload["errors"]
    assert [error["extensions"]["code"] for error in errors] == ["QUERY_TOO_COMPLEX"]
    assert errors[0]["message"].startswith("`Concert.stock` needs a read that pushes of `holdChanged` do not make")


async def test_fragment_that_contains_itself_is_refused_by_its_own_rule() -> None:
    document = (
        "subscription ($id: ID!) { holdChanged(concertId: $id) { ...Own } }"
        " fragment Own on Hold { unknown { x } concert { id } ...Own }"
    )
    result = await start(Operation(document, {"id": ids.of_concert(CONCERT.id)}, None), FakeStores().context(ALICE))
    assert isinstance(result, OperationResult)
    errors: Any = result.payload["errors"]
    assert {error["extensions"]["code"] for error in errors} == {"BAD_USER_INPUT"}


async def test_refused_fields_can_be_queried() -> None:
    """A field that is refused below a subscription is answered in a query."""
    document = "query ($id: ID!) { concert(id: $id) { cancellation { openOrders } organizerId } }"
    stores = FakeStores()
    result = await schema.execute(Operation(document, {"id": ids.of_concert(CONCERT.id)}, None), stores.context(OLIVIA))
    assert result.payload["data"] == {"concert": {"cancellation": None, "organizerId": "olivia"}}
    assert stores.reads == ["concert"]
