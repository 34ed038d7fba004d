"""Text sent over HTTP to any input of the schema is either refused with its path or normalized."""

from collections.abc import Mapping
from typing import Any, TypeAlias

import pytest
from graphql import GraphQLInputObjectType, GraphQLObjectType, build_schema, get_named_type

import schema
from domain.ids import ConcertId, OrderId, TicketId
from schema import ids
from tests.support.shop import CREATE, HOLD, PURCHASE, Answer, OnSale, Shop, concert_input, lines, new_key, venue_input

pytestmark = pytest.mark.asyncio(loop_scope="module")

_PROBLEMS = "... on InvalidInputError { problems { path } } ... on NotAdmittedError { reason }"
UPDATE = f"""mutation ($input: UpdateConcertInput!) {{
  answer: updateConcert(input: $input) {{ __typename {_PROBLEMS.split(" ... on Not")[0]} }}
}}"""
CONFIGURE = """mutation ($input: ConfigureWaitingRoomInput!) {
  answer: configureWaitingRoom(input: $input) { __typename ... on InvalidInputError { problems { path } } }
}"""
GIVE = """mutation ($input: ChangeConcertOrganizerInput!) {
  answer: changeConcertOrganizer(input: $input) { __typename ... on InvalidInputError { problems { path } } }
}"""
ADMIT = """mutation ($input: AdmitNextInput!) {
  answer: admitNext(input: $input) { __typename ... on InvalidInputError { problems { path } } }
}"""
RESET = """mutation ($input: ResetWaitingRoomInput!) {
  answer: resetWaitingRoom(input: $input) { __typename ... on InvalidInputError { problems { path } } }
}"""
REFUND = """mutation ($input: RefundOrderInput!) {
  answer: refundOrder(input: $input) { __typename ... on InvalidInputError { problems { path } } }
}"""
TRANSFER = """mutation ($input: TransferTicketInput!) {
  answer: transferTicket(input: $input) { __typename ... on InvalidInputError { problems { path } } }
}"""
ACCEPT = """mutation ($input: AcceptTicketTransferInput!) {
  answer: acceptTicketTransfer(input: $input) { __typename ... on InvalidInputError { problems { path } } }
}"""
COPY = """mutation ($input: CopyConcertInput!) {
  answer: copyConcert(input: $input) { __typename ... on InvalidInputError { problems { path } } }
}"""
CHECK_IN = """mutation ($input: CheckInTicketInput!) {
  answer: checkInTicket(input: $input) { __typename ... on InvalidInputError { problems { path } } }
}"""
CHECK_IN_MANY = """mutation ($input: CheckInTicketsInput!) {
  answer: checkInTickets(input: $input) { __typename ... on InvalidInputError { problems { path } } }
}"""
NO_TICKET = str(ids.of_ticket(ConcertId("abcdefghjkmn"), TicketId("0" * 32)))
SCAN: dict[str, object] = {"code": "X", "deviceId": "gate", "scanId": "1"}
LINK: dict[str, object] = {"label": "Tour", "url": "https://tour.example/"}
NO_ORDER = str(ids.of_order(OrderId("0" * 32)))
LIST = "query ($filter: ConcertFilter, $after: String) { concerts(filter: $filter, after: $after) { nodes { slug } } }"
BY_SLUG = "query ($slug: String) { concert(slug: $slug) { id } }"
BY = "query ($wanted: ConcertBy) { concert(by: $wanted) { id } }"
EXPORTS = "query ($id: ID!, $after: String) { concert(id: $id) { orderExports(after: $after) { nodes { rows } } } }"
CONCERT_ORDERS = """query ($id: ID!, $filter: ConcertOrderFilter, $after: String) {
  concertOrders(concertId: $id, filter: $filter, after: $after) { nodes { id } }
}"""
TICKETS = "query ($after: String) { me { tickets(after: $after) { nodes { id } } } }"
ORDERS = "query ($after: String) { me { orders(after: $after) { nodes { id } } } }"
AUDIT = "query ($id: ID!, $after: String) { waitingRoom(concertId: $id) { audit(after: $after) { nodes { action } } } }"
CUSTOMER: dict[str, object] = {"customerName": "Alice", "customerEmail": "alice@onsale.example"}

Input: TypeAlias = Mapping[str, object]

REFUSED_EVERYWHERE = ("\x00", "\x1b", "\u202e", "\u2066")
REFUSED_ONLY_IN_LINES = ("\u200b", "\u200f", "\u00ad")
REFUSED_IN_LINES = (*REFUSED_EVERYWHERE, "\n", "\t", *REFUSED_ONLY_IN_LINES)
BLOCKS = {
    *("CreateConcertInput.description", "UpdateConcertInput.description", "WaitingRoomInput.message"),
    *("TierInput.description", "TierChangeInput.description"),
}
MAY_BE_EMPTY = {"TierInput.zone", "TierChangeInput.zone"}
IMAGE = "0" * 64
"""The id of an image that is not stored."""


def _tier(name: str) -> dict[str, object]:
    return {"name": name, "priceMinor": 100, "capacity": 5}


def _scan(**changes: object) -> dict[str, object]:
    return SCAN | {"scannedAt": "2026-06-01T18:00:00Z"} | changes


def _mutation(place: str, concert: OnSale, text: str) -> tuple[str, str, Input, str]:
    """Return a document, its sender, an input that contains the text, and the path to the text."""
    key: dict[str, object] = {"concertId": concert.id, "idempotencyKey": text}
    fresh: dict[str, object] = {"concertId": concert.id, "idempotencyKey": new_key()}
    change: dict[str, object] = {"concertId": concert.id}
    bought: dict[str, object] = {"lines": lines(concert, 1)}
    copied = fresh | {"startsAt": "2050-01-01T20:00:00Z"}
    calls: dict[str, tuple[str, str, Input, str]] = {
        "CreateConcertInput.name": (CREATE, "olivia", concert_input(name=text), "name"),
        "CreateConcertInput.slug": (CREATE, "olivia", concert_input(slug=text), "slug"),
        "CreateConcertInput.description": (CREATE, "olivia", concert_input(description=text), "description"),
        "CreateConcertInput.artist": (CREATE, "olivia", concert_input(artist=text), "artist"),
        "ConcertLinkInput.label": (CREATE, "olivia", concert_input(links=[LINK | {"label": text}]), "links.0.label"),
        "ConcertLinkInput.url": (CREATE, "olivia", concert_input(links=[LINK | {"url": text}]), "links.0.url"),
        "VenueInput.address": (CREATE, "olivia", concert_input(venue=venue_input(address=text)), "venue.address"),
        "VenueChangeInput.address": (UPDATE, "olivia", change | {"venue": {"address": text}}, "venue.address"),
        "UpdateConcertInput.artist": (UPDATE, "olivia", change | {"artist": text}, "artist"),
        "CopyConcertInput.name": (COPY, "olivia", copied | {"name": text}, "name"),
        "CopyConcertInput.slug": (COPY, "olivia", copied | {"slug": text}, "slug"),
        "CopyConcertInput.idempotencyKey": (COPY, "olivia", copied | {"idempotencyKey": text}, "idempotencyKey"),
        "TierInput.name": (CREATE, "olivia", concert_input(tiers=[_tier(text)]), "tiers.0.name"),
        "TierInput.zone": (CREATE, "olivia", concert_input(tiers=[_tier("Floor") | {"zone": text}]), "tiers.0.zone"),
        "TierInput.description": (
            CREATE, "olivia", concert_input(tiers=[_tier("Floor") | {"description": text}]), "tiers.0.description",
        ),
        "CreateConcertInput.imageId": (CREATE, "olivia", concert_input(imageId=text, imageAlt="A hall."), "imageId"),
        "CreateConcertInput.imageAlt": (CREATE, "olivia", concert_input(imageId=IMAGE, imageAlt=text), "imageAlt"),
        "UpdateConcertInput.imageId": (UPDATE, "olivia", change | {"imageId": text, "imageAlt": "A hall."}, "imageId"),
        "UpdateConcertInput.imageAlt": (UPDATE, "olivia", change | {"imageId": IMAGE, "imageAlt": text}, "imageAlt"),
        "VenueInput.name": (CREATE, "olivia", concert_input(venue=venue_input(name=text)), "venue.name"),
        "VenueInput.city": (CREATE, "olivia", concert_input(venue=venue_input(city=text)), "venue.city"),
        "VenueInput.country": (CREATE, "olivia", concert_input(venue=venue_input(country=text)), "venue.country"),
        "VenueInput.timeZone": (CREATE, "olivia", concert_input(venue=venue_input(timeZone=text)), "venue.timeZone"),
        "VenueChangeInput.name": (UPDATE, "olivia", change | {"venue": {"name": text}}, "venue.name"),
        "VenueChangeInput.city": (UPDATE, "olivia", change | {"venue": {"city": text}}, "venue.city"),
        "VenueChangeInput.country": (UPDATE, "olivia", change | {"venue": {"country": text}}, "venue.country"),
        "VenueChangeInput.timeZone": (UPDATE, "olivia", change | {"venue": {"timeZone": text}}, "venue.timeZone"),
        "UpdateConcertInput.name": (UPDATE, "olivia", change | {"name": text}, "name"),
        "UpdateConcertInput.description": (UPDATE, "olivia", change | {"description": text}, "description"),
        "UpdateConcertInput.gatePeople": (UPDATE, "olivia", change | {"gatePeople": [text]}, "gatePeople.0"),
        "ChangeConcertOrganizerInput.organizerId": (GIVE, "ada", change | {"organizerId": text}, "organizerId"),
        "TierChangeInput.name": (
            UPDATE, "olivia", change | {"tiers": [{"tierId": concert.tiers[1], "name": text}]}, "tiers.0.name",
        ),
        "TierChangeInput.zone": (
            UPDATE, "olivia", change | {"tiers": [{"tierId": concert.tiers[1], "zone": text}]}, "tiers.0.zone",
        ),
        "TierChangeInput.description": (
            UPDATE,
            "olivia",
            change | {"tiers": [{"tierId": concert.tiers[1], "description": text}]},
            "tiers.0.description",
        ),
        "WaitingRoomInput.message": (CONFIGURE, "olivia", change | {"settings": {"message": text}}, "settings.message"),
        "AdmitNextInput.idempotencyKey": (ADMIT, "olivia", key | {"count": 1}, "idempotencyKey"),
        "ResetWaitingRoomInput.idempotencyKey": (RESET, "olivia", key, "idempotencyKey"),
        "HoldTicketsInput.idempotencyKey": (HOLD, "alice", key | bought, "idempotencyKey"),
        "PurchaseTicketsInput.idempotencyKey": (PURCHASE, "alice", key | bought | CUSTOMER, "idempotencyKey"),
        "RefundOrderInput.idempotencyKey": (
            REFUND, "alice", {"orderId": NO_ORDER, "idempotencyKey": text}, "idempotencyKey",
        ),
        "PurchaseTicketsInput.customerName": (
            PURCHASE, "alice", fresh | bought | CUSTOMER | {"customerName": text}, "customerName",
        ),
        "PurchaseTicketsInput.customerEmail": (
            PURCHASE, "alice", fresh | bought | CUSTOMER | {"customerEmail": text}, "customerEmail",
        ),
        "PurchaseTicketsInput.locale": (
            PURCHASE, "alice", fresh | bought | CUSTOMER | {"locale": text}, "locale",
        ),
        "TransferTicketInput.email": (TRANSFER, "alice", {"ticketId": NO_TICKET, "email": text}, "email"),
        "AcceptTicketTransferInput.holderName": (ACCEPT, "bob", {"token": "x", "holderName": text}, "holderName"),
        "CheckInTicketInput.deviceId": (CHECK_IN, "olivia", change | SCAN | {"deviceId": text}, "deviceId"),
        "CheckInTicketInput.scanId": (CHECK_IN, "olivia", change | SCAN | {"scanId": text}, "scanId"),
        "ScanInput.deviceId": (
            CHECK_IN_MANY, "olivia", change | {"scans": [_scan(deviceId=text)]}, "scans.0.deviceId",
        ),
        "ScanInput.scanId": (CHECK_IN_MANY, "olivia", change | {"scans": [_scan(scanId=text)]}, "scans.0.scanId"),
    }  # fmt: skip
    return calls[place]


MUTATIONS = (
    "CreateConcertInput.name",
    "CreateConcertInput.slug",
    "CreateConcertInput.description",
    "CreateConcertInput.artist",
    "ConcertLinkInput.label",
    "ConcertLinkInput.url",
    "VenueInput.address",
    "VenueChangeInput.address",
    "UpdateConcertInput.artist",
    "CopyConcertInput.name",
    "CopyConcertInput.slug",
    "CopyConcertInput.idempotencyKey",
    *("TierInput.name", "TierInput.zone", "TierInput.description"),
    *("CreateConcertInput.imageId", "CreateConcertInput.imageAlt"),
    *("UpdateConcertInput.imageId", "UpdateConcertInput.imageAlt"),
    "VenueInput.name",
    "VenueInput.city",
    "VenueInput.country",
    "VenueInput.timeZone",
    "VenueChangeInput.name",
    "VenueChangeInput.city",
    "VenueChangeInput.country",
    "VenueChangeInput.timeZone",
    "UpdateConcertInput.name",
    "UpdateConcertInput.description",
    "UpdateConcertInput.gatePeople",
    "ChangeConcertOrganizerInput.organizerId",
    *("TierChangeInput.name", "TierChangeInput.zone", "TierChangeInput.description"),
    "WaitingRoomInput.message",
    "AdmitNextInput.idempotencyKey",
    "ResetWaitingRoomInput.idempotencyKey",
    "HoldTicketsInput.idempotencyKey",
    "PurchaseTicketsInput.idempotencyKey",
    "RefundOrderInput.idempotencyKey",
    "PurchaseTicketsInput.customerName",
    "PurchaseTicketsInput.customerEmail",
    "PurchaseTicketsInput.locale",
    "TransferTicketInput.email",
    "AcceptTicketTransferInput.holderName",
    "CheckInTicketInput.deviceId",
    "CheckInTicketInput.scanId",
    "ScanInput.deviceId",
    "ScanInput.scanId",
)
PASSES = ("HoldTicketsInput.queuePass", "PurchaseTicketsInput.queuePass", "NewHoldInput.queuePass")
QUERIES = (
    "ConcertFilter.search",
    "ConcertFilter.city",
    "ConcertFilter.country",
    "ConcertOrderFilter.search",
    *("Query.concertOrders(after)", "Query.concertOrders(before)"),
    *("Concert.orderExports(after)", "Concert.orderExports(before)"),
    *("Query.concerts(after)", "Query.concerts(before)"),
    *("Viewer.orders(after)", "Viewer.orders(before)"),
    *("Viewer.tickets(after)", "Viewer.tickets(before)"),
    *("WaitingRoom.audit(after)", "WaitingRoom.audit(before)"),
)
MATCHES_NOTHING = ("Query.concert(slug)", "ConcertBy.slug")
# These are only hashed. tests/unit/test_auth_challenges.py tests other texts.
PROOFS = ("ProofOfWorkInput.challenge", "ProofOfWorkInput.nonce")

# Verified as bytes. test_graphql_check_ins.py and test_graphql_transfers.py test other texts.
CODES = ("CheckInTicketInput.code", "ScanInput.code", "AcceptTicketTransferInput.token", "Query.ticketOffer(token)")


async def test_every_text_input_of_the_schema_is_tested_here() -> None:
    places = set()
    for name, type_ in build_schema(schema.sdl()).type_map.items():
        if isinstance(type_, GraphQLInputObjectType):
            places |= {f"{name}.{field}" for field, of in type_.fields.items() if _is_text(of.type)}
        if isinstance(type_, GraphQLObjectType) and not name.startswith("__"):
            for field, of in type_.fields.items():
                places |= {f"{name}.{field}({argument})" for argument, a in of.args.items() if _is_text(a.type)}
    assert places == {*MUTATIONS, *PASSES, *QUERIES, *MATCHES_NOTHING, *PROOFS, *CODES}


def _is_text(type_: object) -> bool:
    return get_named_type(type_).name == "String"  # type: ignore[call-overload, no-any-return]


@pytest.mark.parametrize("place", MUTATIONS)
async def test_text_with_a_forbidden_character_is_refused_with_its_path(shop: Shop, place: str) -> None:
    concert = await shop.on_sale()
    for letter in REFUSED_EVERYWHERE if place in BLOCKS else REFUSED_IN_LINES:
        document, by, input_, path = _mutation(place, concert, f"ali{letter}ce@onsale.example")
        (answer,) = (await shop.fields(document, by=by, input=input_)).values()
        assert [problem["path"] for problem in answer["problems"]] == [path], ascii(letter)
    assert await shop.stock(concert) == [(100, 0, 0), (2, 0, 0)]


@pytest.mark.parametrize("place", [place for place in MUTATIONS if place not in BLOCKS | MAY_BE_EMPTY])
async def test_line_without_a_visible_character_is_refused_with_its_path(shop: Shop, place: str) -> None:
    concert = await shop.on_sale()
    for text in ("", "  ", "\u3164", "\u200d"):
        document, by, input_, path = _mutation(place, concert, text)
        (answer,) = (await shop.fields(document, by=by, input=input_)).values()
        assert [problem["path"] for problem in answer["problems"]] == [path], ascii(text)


@pytest.mark.parametrize(
    "change",
    [{"filter": {"search": "a\x00b"}}, {"filter": {"city": "\x00"}}, {"filter": {"search": "\x00"}}, {"after": "\x00"}],
)
async def test_nul_in_a_filter_is_bad_input_and_not_an_outage(shop: Shop, change: dict[str, Any]) -> None:
    (error,) = (await shop.ask(LIST, **change))["errors"]
    assert error["extensions"]["code"] == "BAD_USER_INPUT"
    assert error["extensions"].get("retryable", False) is False


@pytest.mark.parametrize("letter", REFUSED_IN_LINES, ids=ascii)
async def test_forbidden_text_in_a_query_is_refused_or_matches_nothing(shop: Shop, letter: str) -> None:
    concert, text = await shop.on_sale(), f"a{letter}b"
    answers: list[Answer] = [
        await shop.ask(LIST, after=text),
        await shop.ask(LIST, filter={"country": text}),
        await shop.ask(ORDERS, by="alice", after=text),
        await shop.ask(TICKETS, by="alice", after=text),
        await shop.ask(AUDIT, by="olivia", id=concert.id, after=text),
        await shop.ask(EXPORTS, by="olivia", id=concert.id, after=text),
        await shop.ask(CONCERT_ORDERS, by="olivia", id=concert.id, after=text),
    ]
    orders = await shop.ask(CONCERT_ORDERS, by="olivia", id=concert.id, filter={"search": text})
    filtered = [await shop.ask(LIST, filter={"search": text}), await shop.ask(LIST, filter={"city": text})]
    if letter in REFUSED_ONLY_IN_LINES:
        assert not any("errors" in answer for answer in filtered)
        assert [answer["data"] for answer in filtered] == [{"concerts": {"nodes": []}}] * 2
        assert orders["data"] == {"concertOrders": {"nodes": []}}
    else:
        answers += [*filtered, orders]
    codes = [error["extensions"]["code"] for answer in answers for error in answer["errors"]]
    assert codes == ["BAD_USER_INPUT"] * len(answers)
    assert await shop.fields(BY_SLUG, slug=text) == await shop.fields(BY, wanted={"slug": text}) == {"concert": None}


async def test_search_with_too_many_words_or_characters_is_refused(shop: Shop) -> None:
    for text in (" ".join("abcdefghijk"), "x" * 201):
        (error,) = (await shop.ask(LIST, filter={"search": text}))["errors"]
        assert [problem["path"] for problem in error["extensions"]["problems"]] == ["filter.search"]


@pytest.mark.parametrize("pass_", ["\x00", "a\u202eb", "", "ü", "x" * 9_000], ids=lambda text: ascii(text[:8]))
async def test_invalid_pass_admits_no_one(shop: Shop, pass_: str) -> None:
    concert = await shop.on_sale(waitingRoom={"suspended": False})
    input_: dict[str, object] = {"concertId": concert.id, "lines": lines(concert, 1), "queuePass": pass_}
    held = await shop.fields(HOLD, by="alice", input=input_ | {"idempotencyKey": new_key()})
    for bought in (input_, {"what": {"newHold": input_}}):
        answer = await shop.fields(PURCHASE, by="alice", input=bought | CUSTOMER | {"idempotencyKey": new_key()})
        assert answer["purchaseTickets"]["__typename"] == "NotAdmittedError"
    assert held["holdTickets"]["__typename"] == "NotAdmittedError"
    assert await shop.stock(concert) == [(100, 0, 0), (2, 0, 0)]


async def test_order_shows_its_customer_trimmed_and_normalized(shop: Shop) -> None:
    concert, key = await shop.on_sale(), new_key()
    purchase: dict[str, object] = {"concertId": concert.id, "lines": lines(concert, 1)}
    customer: dict[str, object] = {"customerName": " Bjo\u0308rk ", "customerEmail": " Alice@Onsale.EXAMPLE  "}
    order = (await shop.buy(purchase | customer, key=key))["order"]
    assert (order["customerName"], order["customerEmail"]) == ("Björk", "Alice@onsale.example")
    assert (await shop.buy(purchase | customer, key=key))["order"] == order
    other = await shop.buy(purchase | customer | {"customerName": "Ada"}, key=key)
    assert other["__typename"] == "IdempotencyConflictError"
