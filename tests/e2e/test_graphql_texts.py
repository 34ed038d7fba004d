"""Text sent over HTTP to any input of the schema is either refused with its path or normalized."""

from collections.abc import Mapping
from typing import Any, TypeAlias

import pytest
from graphql import GraphQLInputObjectType, GraphQLObjectType, build_schema, get_named_type

import schema
from domain.ids import OrderId
from schema import ids
from tests.support.shop import CREATE, HOLD, PURCHASE, Answer, OnSale, Shop, concert_input, lines, new_key

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
NO_ORDER = str(ids.of_order(OrderId("0" * 32)))
LIST = "query ($filter: ConcertFilter, $after: String) { concerts(filter: $filter, after: $after) { nodes { slug } } }"
BY_SLUG = "query ($slug: String) { concert(slug: $slug) { id } }"
ORDERS = "query ($after: String) { me { orders(after: $after) { nodes { id } } } }"
AUDIT = "query ($id: ID!, $after: String) { waitingRoom(concertId: $id) { audit(after: $after) { nodes { action } } } }"
CUSTOMER: dict[str, object] = {"customerName": "Alice", "customerEmail": "alice@onsale.example"}

Input: TypeAlias = Mapping[str, object]

REFUSED_EVERYWHERE = ("\x00", "\x1b", "\u202e", "\u2066")
REFUSED_ONLY_IN_LINES = ("\u200b", "\u200f", "\u00ad")
REFUSED_IN_LINES = (*REFUSED_EVERYWHERE, "\n", "\t", *REFUSED_ONLY_IN_LINES)
BLOCKS = {"CreateConcertInput.description", "UpdateConcertInput.description", "WaitingRoomInput.message"}


def _tier(name: str) -> dict[str, object]:
    return {"name": name, "priceMinor": 100, "capacity": 5}


def _venue(**changes: object) -> dict[str, object]:
    usual: dict[str, object] = {"name": "Hall", "city": "Berlin", "country": "DE"}
    return usual | changes


def _mutation(place: str, concert: OnSale, text: str) -> tuple[str, str, Input, str]:
    """Return a document, its sender, an input that contains the text, and the path to the text."""
    key: dict[str, object] = {"concertId": concert.id, "idempotencyKey": text}
    fresh: dict[str, object] = {"concertId": concert.id, "idempotencyKey": new_key()}
    change: dict[str, object] = {"concertId": concert.id}
    bought: dict[str, object] = {"lines": lines(concert, 1)}
    calls: dict[str, tuple[str, str, Input, str]] = {
        "CreateConcertInput.name": (CREATE, "olivia", concert_input(name=text), "name"),
        "CreateConcertInput.slug": (CREATE, "olivia", concert_input(slug=text), "slug"),
        "CreateConcertInput.description": (CREATE, "olivia", concert_input(description=text), "description"),
        "TierInput.name": (CREATE, "olivia", concert_input(tiers=[_tier(text)]), "tiers.0.name"),
        "VenueInput.name": (CREATE, "olivia", concert_input(venue=_venue(name=text)), "venue.name"),
        "VenueInput.city": (CREATE, "olivia", concert_input(venue=_venue(city=text)), "venue.city"),
        "VenueInput.country": (CREATE, "olivia", concert_input(venue=_venue(country=text)), "venue.country"),
        "UpdateConcertInput.name": (UPDATE, "olivia", change | {"name": text}, "name"),
        "UpdateConcertInput.description": (UPDATE, "olivia", change | {"description": text}, "description"),
        "UpdateConcertInput.gatePeople": (UPDATE, "olivia", change | {"gatePeople": [text]}, "gatePeople.0"),
        "ChangeConcertOrganizerInput.organizerId": (GIVE, "ada", change | {"organizerId": text}, "organizerId"),
        "TierChangeInput.name": (
            UPDATE, "olivia", change | {"tiers": [{"tierId": concert.tiers[1], "name": text}]}, "tiers.0.name",
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
    }  # fmt: skip
    return calls[place]


MUTATIONS = (
    "CreateConcertInput.name",
    "CreateConcertInput.slug",
    "CreateConcertInput.description",
    "TierInput.name",
    "VenueInput.name",
    "VenueInput.city",
    "VenueInput.country",
    "UpdateConcertInput.name",
    "UpdateConcertInput.description",
    "UpdateConcertInput.gatePeople",
    "ChangeConcertOrganizerInput.organizerId",
    "TierChangeInput.name",
    "WaitingRoomInput.message",
    "AdmitNextInput.idempotencyKey",
    "ResetWaitingRoomInput.idempotencyKey",
    "HoldTicketsInput.idempotencyKey",
    "PurchaseTicketsInput.idempotencyKey",
    "RefundOrderInput.idempotencyKey",
    "PurchaseTicketsInput.customerName",
    "PurchaseTicketsInput.customerEmail",
)
PASSES = ("HoldTicketsInput.queuePass", "PurchaseTicketsInput.queuePass")
QUERIES = (
    "ConcertFilter.search",
    "ConcertFilter.city",
    "Query.concerts(after)",
    "Viewer.orders(after)",
    "WaitingRoom.audit(after)",
)
MATCHES_NOTHING = ("Query.concert(slug)",)
# These are only hashed. tests/unit/test_auth_challenges.py tests other texts.
PROOFS = ("ProofOfWorkInput.challenge", "ProofOfWorkInput.nonce")


async def test_every_text_input_of_the_schema_is_tested_here() -> None:
    places = set()
    for name, type_ in build_schema(schema.sdl()).type_map.items():
        if isinstance(type_, GraphQLInputObjectType):
            places |= {f"{name}.{field}" for field, of in type_.fields.items() if _is_text(of.type)}
        if isinstance(type_, GraphQLObjectType) and not name.startswith("__"):
            for field, of in type_.fields.items():
                places |= {f"{name}.{field}({argument})" for argument, a in of.args.items() if _is_text(a.type)}
    assert places == {*MUTATIONS, *PASSES, *QUERIES, *MATCHES_NOTHING, *PROOFS}


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


@pytest.mark.parametrize("place", [place for place in MUTATIONS if place not in BLOCKS])
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
        await shop.ask(ORDERS, by="alice", after=text),
        await shop.ask(AUDIT, by="olivia", id=concert.id, after=text),
    ]
    filtered = [await shop.ask(LIST, filter={"search": text}), await shop.ask(LIST, filter={"city": text})]
    if letter in REFUSED_ONLY_IN_LINES:
        assert not any("errors" in answer for answer in filtered)
        assert [answer["data"] for answer in filtered] == [{"concerts": {"nodes": []}}] * 2
    else:
        answers += filtered
    codes = [error["extensions"]["code"] for answer in answers for error in answer["errors"]]
    assert codes == ["BAD_USER_INPUT"] * len(answers)
    assert await shop.fields(BY_SLUG, slug=text) == {"concert": None}


async def test_search_with_too_many_words_or_characters_is_refused(shop: Shop) -> None:
    for text in (" ".join("abcdefghijk"), "x" * 201):
        (error,) = (await shop.ask(LIST, filter={"search": text}))["errors"]
        assert [problem["path"] for problem in error["extensions"]["problems"]] == ["filter.search"]


@pytest.mark.parametrize("pass_", ["\x00", "a\u202eb", "", "ü", "x" * 9_000], ids=lambda text: ascii(text[:8]))
async def test_invalid_pass_admits_no_one(shop: Shop, pass_: str) -> None:
    concert = await shop.on_sale(waitingRoom={"suspended": False})
    input_: dict[str, object] = {"concertId": concert.id, "lines": lines(concert, 1), "queuePass": pass_}
    held = await shop.fields(HOLD, by="alice", input=input_ | {"idempotencyKey": new_key()})
    bought = await shop.fields(PURCHASE, by="alice", input=input_ | CUSTOMER | {"idempotencyKey": new_key()})
    assert held["holdTickets"]["__typename"] == bought["purchaseTickets"]["__typename"] == "NotAdmittedError"
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
