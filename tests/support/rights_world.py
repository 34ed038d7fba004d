"""The people and the objects in docs/rights.md, and the input for each mutation."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from domain.holds import TicketRequest
from domain.ids import HoldId, OrderId, TierId
from domain.payments.facts import FactKind, FactState, ProviderFact
from domain.payments.payment import PaymentAttempt, Refund, RefundReason
from schema.ids import concert_argument, decode
from storage.mongo.order_updates import UpdateOutcome
from tests.support.queue_users import VERBS as QUEUE_VERBS
from tests.support.rights_page import RootRow
from tests.support.room_admin import RoomAdmin
from tests.support.shop import HOLD, Answer, OnSale, Shop, concert_input, lines, moment, new_key, person_id

UPDATE = "mutation ($input: UpdateConcertInput!) { updateConcert(input: $input) { __typename } }"
PEOPLE: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "customer": ("alice", ("customer",)),
    "other customer": ("bob", ("customer",)),
    "organizer": ("olivia", ("organizer",)),
    "other organizer": ("otto", ("organizer",)),
    "gate": ("gus", ("gate",)),
    "admin": ("ada", ("admin",)),
    "service account": ("robot", ()),
}
"""The name and the roles of each kind of viewer; `anonymous` has no token."""

DRAFT_NAME = "Secret rehearsal"
BUYER = {"customerName": "Alice Anders", "customerEmail": "alice.anders@example.org"}
FREE = [{"name": "Free", "priceMinor": 0, "capacity": 100}]
PRICED = [{"name": "Standing", "priceMinor": 4950, "capacity": 100}]
CLIENT_SECRET = "pi_payable_secret_of_alice"
CANCEL = "mutation ($input: CancelConcertInput!) { cancelConcert(input: $input) { __typename } }"
ROOM = {"suspended": False, "totalActiveUsers": 100, "newUsersPerMinute": 1_000}


@dataclass(frozen=True, slots=True)
class World:
    """The objects in docs/rights.md, as global ids, and the texts that must not leak."""

    concert: OnSale
    """A concert with a waiting room."""
    plain: OnSale
    """A concert without a waiting room, for which alice has an order and each person has a hold."""
    draft: OnSale
    city: str
    """The city of `concert`, `draft` and a concert with a lottery, and of no other concert."""
    entry: str
    hold: str
    order: str
    """An unpaid order with a refund of a second payment."""
    canceled: OnSale
    pass_token: str

    def id_of(self, about: str) -> str:
        return {
            "a published concert": self.concert.id,
            "a draft": self.draft.id,
            "a canceled concert": self.canceled.id,
            "a queue entry": self.entry,
            "a hold": self.hold,
            "an order": self.order,
            "a tier of a published concert": self.concert.tiers[0],
            "a tier of a draft": self.draft.tiers[0],
        }.get(about, "")

    @property
    def secrets(self) -> dict[str, frozenset[str]]:
        """Return each text that only some viewers may read, with those viewers."""
        organizers = frozenset({"organizer", "admin"})
        return {
            DRAFT_NAME: organizers,
            person_id("olivia"): organizers,
            person_id("gus"): organizers,
            BUYER["customerName"]: organizers | {"customer"},
            BUYER["customerEmail"]: organizers | {"customer"},
            self.pass_token: frozenset({"customer"}),
            CLIENT_SECRET: frozenset({"customer"}),
        }


def token_of(shop: Shop, viewer: str) -> str | None:
    if viewer == "anonymous":
        return None
    name, roles = PEOPLE[viewer]
    return shop.token(name, realm_access={"roles": list(roles)})


async def open_world(shop: Shop) -> World:
    city = f"City {new_key()}"
    concert = await new_concert_with_called_entry(shop, city)
    await open_lottery(shop, city)
    entry = (await ask_queue(shop, "claimQueuePass", concert))["entry"]
    token = entry["pass"]["token"]
    hold, plain = await hold_at(shop, concert, token), await shop.on_sale(tiers=PRICED)
    order = await buy(shop, plain)
    await add_payment(shop, order)
    await hold_for_each(shop, plain)
    draft = await shop.draft(name=DRAFT_NAME, slug=f"secret-{new_key()}", venue=venue(city))
    change = {"concertId": concert.id, "gatePeople": [person_id("gus")]}
    await shop.fields(UPDATE, by="olivia", input=change)
    canceled = await shop.on_sale()
    await shop.fields(CANCEL, by="olivia", input={"concertId": canceled.id})
    return World(concert, plain, draft, city, entry["id"], hold, order, canceled, token)


async def buy(shop: Shop, concert: OnSale) -> str:
    """Buy a ticket for alice, and return the id of the order."""
    bought = await shop.buy({"concertId": concert.id, "lines": lines(concert, 1), **BUYER})
    return str(bought["order"]["id"])


async def add_payment(shop: Shop, order_id: str) -> None:
    """Let the order be payable for the second time: the first intent was lost, and paid later."""
    order = await shop.stores.orders.get(OrderId(decode(order_id).parts[0]))
    assert order is not None
    assert order.payment is not None
    now, minor = order.created_at, order.total.minor
    lost, declined = "pi_lost", "pi_payable"
    payment = replace(
        order.payment,
        provider="sandbox",
        attempts=(PaymentAttempt(1, now, lost), PaymentAttempt(2, now, declined, CLIENT_SECRET)),
        facts=(
            ProviderFact(FactKind.PAYMENT, lost, lost, FactState.SUCCEEDED, minor, order.currency, now),
            ProviderFact(FactKind.DECLINE, "ch_1", declined, FactState.FAILED, minor, order.currency, now, code="x"),
        ),
        refunds=(Refund(1, lost, minor, (), RefundReason.SECOND_PAYMENT, now),),
    )
    changed = replace(order, payment=payment, version=order.version + 1)
    assert await shop.stores.order_updates.update(changed) is UpdateOutcome.WON


def venue(city: str) -> dict[str, object]:
    return {"name": "Town Hall", "city": city, "country": "DE"}


async def open_lottery(shop: Shop, city: str) -> OnSale:
    opens_at = moment(datetime.now(UTC) + timedelta(days=1))
    return await shop.on_sale(waitingRoom=ROOM | {"shuffleAtStart": True}, salesStartAt=opens_at, venue=venue(city))


async def new_concert_with_called_entry(shop: Shop, city: str = "Munich") -> OnSale:
    concert = await shop.on_sale(waitingRoom=ROOM, venue=venue(city))
    await ask_queue(shop, "joinQueue", concert)
    await RoomAdmin(shop, concert).admit(1)
    return concert


async def ask_queue(shop: Shop, verb: str, concert: OnSale) -> Answer:
    answer = (await shop.fields(QUEUE_VERBS[verb], by="alice", input={"concertId": concert.id}))[verb]
    assert "entry" in answer, answer
    return answer


async def hold_at(shop: Shop, concert: OnSale, queue_pass: str | None = None) -> str:
    input_ = {"concertId": concert.id, "lines": lines(concert, 1), "idempotencyKey": new_key(), "queuePass": queue_pass}
    held = (await shop.fields(HOLD, by="alice", input=input_))["holdTickets"]
    return str(held["hold"]["id"])


async def hold_for_each(shop: Shop, concert: OnSale) -> None:
    """Create a hold for each person, even for those who may not create one themselves."""
    concert_id, request = concert_argument(concert.id), (TicketRequest(_tier(concert), 1),)
    for name, _ in PEOPLE.values():
        id_, who = HoldId(uuid.uuid4().hex), person_id(name)
        await shop.stores.holds.hold(concert_id, id_, request, person_id=who, digest="", pass_entry_id=None)


def _tier(concert: OnSale) -> TierId:
    return TierId(decode(concert.tiers[0]).parts[0])


async def new_input(shop: Shop, row: RootRow) -> dict[str, object]:
    """Return the input of a mutation for new objects that belong to alice and olivia."""
    match row.field.partition(".")[2], row.object:
        case "createConcert", _:
            return concert_input(slug=f"made-{new_key()}")
        case (("leaveQueue" | "heartbeat"), _):
            concert = await shop.on_sale(waitingRoom=ROOM)
            await ask_queue(shop, "joinQueue", concert)
            return {"concertId": concert.id}
        case "claimQueuePass", _:
            return {"concertId": (await new_concert_with_called_entry(shop)).id}
        case "releaseHold", _:
            return {"holdId": await hold_at(shop, await shop.on_sale())}
        case "cancelOrder", _:
            return {"orderId": await buy(shop, await shop.on_sale(tiers=PRICED))}
        case "syncOrderPayment", _:
            return {"orderId": await buy(shop, await shop.on_sale(tiers=FREE))}
        case "refundOrder", about:
            until = None if "cannot" in about else moment(datetime.now(UTC) + timedelta(days=1))
            concert = await shop.on_sale(tiers=FREE, refundsUntil=until)
            return {"orderId": await buy(shop, concert), "idempotencyKey": new_key()}
        case "purchaseTickets", "a hold":
            return {"holdId": await hold_at(shop, await shop.on_sale()), "idempotencyKey": new_key(), **BUYER}
        case name, "a draft":
            draft = await shop.draft(name=DRAFT_NAME, slug=f"secret-{new_key()}")
            return {"concertId": draft.id, **_rest(name, draft)}
        case "holdTickets" as name, _:
            concert = await shop.on_sale()
            return {"concertId": concert.id, **_rest(name, concert)}
        case name, _:
            concert = await shop.on_sale(waitingRoom=ROOM)
            return {"concertId": concert.id, **_rest(name, concert)}


def _rest(name: str, concert: OnSale) -> dict[str, object]:
    """Return an input's fields other than the concert's id."""
    key: dict[str, object] = {"idempotencyKey": new_key()}
    rest: dict[str, dict[str, object]] = {
        "holdTickets": {"lines": lines(concert, 1), **key},
        "purchaseTickets": {"lines": lines(concert, 1), **BUYER, **key},
        "updateConcert": {"name": "Renamed", "gatePeople": [person_id("gus")]},
        "changeConcertOrganizer": {"organizerId": person_id("otto")},
        "configureWaitingRoom": {"settings": {"message": "Changed."}},
        "admitNext": {"count": 1, **key},
        "resetWaitingRoom": key,
    }
    return rest.get(name, {})
