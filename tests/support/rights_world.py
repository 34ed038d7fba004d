"""The people and the objects in docs/rights.md, and the input for each mutation."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from domain.holds import TicketRequest
from domain.ids import ConcertId, HoldId, OrderId, PersonId, TicketId, TierId, ticket_id
from domain.images.image import RenderedSize, image_id_of
from domain.organizers.order_export import OrderExport
from domain.payments.facts import FactKind, FactState, ProviderFact
from domain.payments.payment import PaymentAttempt, Refund, RefundReason
from domain.tickets.check_ins import Scan, ScannedTicket, check_in_all
from domain.tickets.transfer_links import new_transfer_token
from domain.tickets.transfers import request_transfer
from schema.ids import concert_argument, decode, of_concert, of_viewer
from storage.mongo.order_updates import UpdateOutcome
from tests.support.old_concerts import remove_time_zone
from tests.support.queue_users import VERBS as QUEUE_VERBS
from tests.support.rights_page import RootRow
from tests.support.room_admin import RoomAdmin
from tests.support.shop import HOLD, Answer, OnSale, Shop, concert_input, lines, moment, new_key, person_id, venue_input

UPDATE = "mutation ($input: UpdateConcertInput!) { updateConcert(input: $input) { __typename } }"
ADD_TIER = """mutation ($input: UpdateConcertInput!) {
  updateConcert(input: $input) { ... on UpdateConcertSuccess { concert { tiers { id } } } }
}"""
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

FRIEND = "friend@onsale.example"
"""The person to whom alice has offered her ticket."""
DRAFT_NAME = "Secret rehearsal"
HIDDEN_NAME = "Secret guest list"
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
    """A concert with a waiting room and a hidden tier."""
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
    ticket: str
    """A ticket of one of alice's free orders, which she has offered to a friend and then used."""
    code: str
    hidden_tier: str
    offer_token: str
    """The token of a link with which dave has offered a ticket to alice."""

    def id_of(self, about: str) -> str:
        return {
            "a published concert": self.concert.id,
            "a draft": self.draft.id,
            "a canceled concert": self.canceled.id,
            "a queue entry": self.entry,
            "a hold": self.hold,
            "an order": self.order,
            "a ticket": self.ticket,
            "a link for the customer": self.offer_token,
            "the customer": of_viewer(PersonId(person_id("alice"))),
            "a tier of a published concert": self.concert.tiers[0],
            "a hidden tier": self.hidden_tier,
            "a tier of a draft": self.draft.tiers[0],
        }.get(about, "")

    @property
    def secrets(self) -> dict[str, frozenset[str]]:
        """Return each text that only some viewers may read, with those viewers."""
        organizers = frozenset({"organizer", "admin"})
        return {
            DRAFT_NAME: organizers,
            HIDDEN_NAME: organizers,
            self.hidden_tier: organizers,
            person_id("olivia"): organizers,
            person_id("gus"): organizers,
            BUYER["customerName"]: organizers | {"customer", "gate"},
            BUYER["customerEmail"]: organizers | {"customer"},
            self.pass_token: frozenset({"customer"}),
            CLIENT_SECRET: frozenset({"customer"}),
            self.code: frozenset({"customer"}),
            FRIEND: frozenset({"customer"}),
        }


def token_of(shop: Shop, viewer: str) -> str | None:
    if viewer == "anonymous":
        return None
    name, roles = PEOPLE[viewer]
    return shop.token(name, realm_access={"roles": list(roles)}, email=f"{name}@onsale.example")


async def store_image(shop: Shop) -> str:
    image_id = image_id_of(b"hall")
    await shop.stores.images.write(image_id, [RenderedSize(4, 3, b"webp")], uploaded_by=person_id("olivia"))
    return image_id


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
    draft = await shop.draft(name=DRAFT_NAME, slug=f"secret-{new_key()}", venue=venue_input(city=city))
    # This concert has a problem that its organizer should solve.
    await remove_time_zone(shop, draft, country="US")
    image_id = await store_image(shop)
    now = datetime.now(UTC)
    export = OrderExport(new_key(), concert_argument(concert.id), now, person_id("olivia"), "olivia")
    await shop.stores.order_exports.begin(export)
    change = {"concertId": concert.id, "gatePeople": [person_id("gus")], "imageId": image_id, "imageAlt": "A hall."}
    await shop.fields(UPDATE, by="olivia", input=change)
    canceled = await shop.on_sale()
    await shop.fields(CANCEL, by="olivia", input={"concertId": canceled.id})
    hidden_tier = await add_hidden_tier(shop, concert)
    ticket, code = await buy_ticket(shop)
    await offer_and_use(shop, ticket)
    offer = await offer_ticket(shop)
    return World(
        concert, plain, draft, city, entry["id"], hold, order, canceled, token, ticket, code, hidden_tier, offer
    )


async def add_hidden_tier(shop: Shop, concert: OnSale) -> str:
    """Add a tier that only olivia and admins see, and return its id."""
    tier = {"name": HIDDEN_NAME, "priceMinor": 0, "capacity": 5, "isHidden": True}
    added = await shop.fields(ADD_TIER, by="olivia", input={"concertId": concert.id, "newTiers": [tier]})
    return str(added["updateConcert"]["concert"]["tiers"][-1]["id"])


async def buy(shop: Shop, concert: OnSale) -> str:
    """Buy a ticket for alice, and return the id of the order."""
    bought = await shop.buy({"concertId": concert.id, "lines": lines(concert, 1), **BUYER})
    return str(bought["order"]["id"])


async def buy_ticket(shop: Shop) -> tuple[str, str]:
    """Return the id and the code of a ticket of alice for a concert where gus works at the gate."""
    concert = await shop.on_sale(tiers=FREE)
    await shop.fields(UPDATE, by="olivia", input={"concertId": concert.id, "gatePeople": [person_id("gus")]})
    order = await buy(shop, concert)
    found = await shop.fields("query ($id: ID!) { order(id: $id) { tickets { id code } } }", by="alice", id=order)
    (ticket,) = found["order"]["tickets"]
    return str(ticket["id"]), str(ticket["code"])


async def offer_and_use(shop: Shop, ticket: str) -> None:
    """Offer alice's ticket to a friend, and check it in at gus's gate, where an older code of it
    was scanned too while the gate was offline.
    """
    found = await shop.stores.tickets.get(*(_ticket_parts(ticket)))
    assert found is not None
    made, now = new_transfer_token(*_ticket_parts(ticket)), found.order.created_at
    offered = request_transfer(
        found.order,
        made.ticket_id,
        holder=person_id("alice"),
        email=FRIEND,
        secret_digest=made.digest,
        now=datetime.now(UTC),
    )
    scan = Scan("scan-1", now, "north gate", person_id("gus"), was_offline=False)
    older = replace(scan, scan_id="scan-0", was_offline=True)
    scans = [(0, ScannedTicket(made.ticket_id, 1), scan), (1, ScannedTicket(made.ticket_id, 0), older)]
    used, _ = check_in_all(offered, scans, now)
    # Both changes are stored together.
    assert await shop.stores.order_updates.update(replace(used, version=found.order.version + 1)) is UpdateOutcome.WON


def _ticket_parts(ticket: str) -> tuple[ConcertId, TicketId]:
    concert, id_ = decode(ticket).parts
    return ConcertId(concert), TicketId(id_)


async def offer_ticket(shop: Shop) -> str:
    """Offer a ticket of dave to alice, and return the token of the link."""
    concert = await shop.on_sale(tiers=FREE)
    bought = await shop.buy({"concertId": concert.id, "lines": lines(concert, 1)}, by="dave")
    order = await shop.stores.orders.get(OrderId(decode(bought["order"]["id"]).parts[0]))
    assert order is not None
    made = new_transfer_token(order.concert_id, ticket_id(order.id, order.tickets[0].unit))
    offered = request_transfer(
        order,
        made.ticket_id,
        holder=person_id("dave"),
        email="alice@onsale.example",
        secret_digest=made.digest,
        now=order.created_at,
    )
    assert await shop.stores.order_updates.update(offered) is UpdateOutcome.WON
    return str(made)


async def new_scan(shop: Shop, name: str, *, of_draft: bool) -> dict[str, object]:
    """Return the input that checks in a new ticket of alice, or a bad code for a draft."""
    if of_draft:
        draft = await shop.draft(name=DRAFT_NAME, slug=f"secret-{new_key()}")
        concert_id, code = draft.id, "a bad code"
    else:
        ticket, code = await buy_ticket(shop)
        concert_id = str(of_concert(ConcertId(decode(ticket).parts[0])))
    scan = {"code": code, "deviceId": "north gate", "scanId": new_key()}
    if name == "checkInTicket":
        return {"concertId": concert_id, **scan}
    return {"concertId": concert_id, "scans": [scan | {"scannedAt": moment(datetime.now(UTC))}]}


async def add_payment(shop: Shop, order_id: str) -> None:
    """Make the order payable again: its first intent was lost, and paid later."""
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


async def open_lottery(shop: Shop, city: str) -> OnSale:
    opens_at = moment(datetime.now(UTC) + timedelta(days=1))
    return await shop.on_sale(
        waitingRoom=ROOM | {"shuffleAtStart": True}, salesStartAt=opens_at, venue=venue_input(city=city)
    )


async def new_concert_with_called_entry(shop: Shop, city: str = "Munich") -> OnSale:
    venue = venue_input(city=city, coordinates={"latitude": 48.17, "longitude": 11.55})
    links = [{"label": "Orchestra", "url": "https://orchestra.example/"}]
    concert = await shop.on_sale(waitingRoom=ROOM, venue=venue, links=links)
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
        case "transferTicket", _:
            return {"ticketId": (await buy_ticket(shop))[0], "email": FRIEND}
        case "cancelTicketTransfer", _:
            return {"ticketId": (await buy_ticket(shop))[0]}
        case "acceptTicketTransfer", _:
            return {"token": await offer_ticket(shop)}
        case ("checkInTicket" | "checkInTickets") as name, about:
            return await new_scan(shop, name, of_draft=about == "a draft")
        case "purchaseTickets", "a hold":
            return {"holdId": await hold_at(shop, await shop.on_sale()), "idempotencyKey": new_key(), **BUYER}
        case name, "a draft":
            draft = await shop.draft(name=DRAFT_NAME, slug=f"secret-{new_key()}")
            return {"concertId": draft.id, **_rest(name, draft)}
        case "holdTickets", "a hidden tier":
            concert = await shop.on_sale()
            requested = [{"tierId": await add_hidden_tier(shop, concert), "quantity": 1}]
            return {"concertId": concert.id, "lines": requested, "idempotencyKey": new_key()}
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
        "copyConcert": {"startsAt": moment(datetime.now(UTC) + timedelta(days=60)), **key},
        "updateConcert": {"name": "Renamed", "gatePeople": [person_id("gus")]},
        "changeConcertOrganizer": {"organizerId": person_id("otto")},
        "configureWaitingRoom": {"settings": {"message": "Changed."}},
        "admitNext": {"count": 1, **key},
        "resetWaitingRoom": key,
    }
    return rest.get(name, {})
