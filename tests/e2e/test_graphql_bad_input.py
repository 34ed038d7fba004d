"""Invalid input over GraphQL: each mistake gets a clear typed error and changes nothing."""

import base64
from collections.abc import Callable

import pytest

from domain.ids import ConcertId, HoldId, OrderId, tier_id
from schema import ids
from tests.support.shop import CREATE, HOLD, PUBLISH, RELEASE, Answer, OnSale, Shop, concert_input, lines, new_key
from tests.support.shop_mutations import hold_input

pytestmark = pytest.mark.asyncio(loop_scope="module")

UNTOUCHED = [(100, 0, 0), (2, 0, 0)]
LONG = "x" * 10_000
UNKNOWN = ConcertId("zzzzzzzzzzzz")

Input = dict[str, object]


def problems(answer: Answer) -> list[str]:
    """Return the paths of an InvalidInputError after checking that each problem has a message."""
    assert (answer["__typename"], answer["code"]) == ("InvalidInputError", "INVALID_INPUT")
    assert all(problem["message"] for problem in answer["problems"])
    return [problem["path"] for problem in answer["problems"]]


def line(concert: OnSale, quantity: object, tier: int = 0) -> Input:
    return {"tierId": concert.tiers[tier], "quantity": quantity}


@pytest.mark.parametrize(
    ("change", "paths"),
    [
        (lambda c: {"concertId": "nonsense"}, ["concertId"]),
        (lambda c: {"concertId": ""}, ["concertId"]),
        (lambda c: {"concertId": LONG}, ["concertId"]),
        (lambda c: {"concertId": c.tiers[0]}, ["concertId"]),
        (lambda c: {"concertId": c.id + "="}, ["concertId"]),
        (lambda c: {"concertId": _encoded("Concert:{a}")}, ["concertId"]),
        (lambda c: {"concertId": _encoded("Nothing:abc")}, ["concertId"]),
        (lambda c: {"lines": []}, ["lines"]),
        (lambda c: {"lines": [line(c, 1)] * 21}, ["lines"] + [f"lines.{i}.tierId" for i in range(1, 20)]),
        (lambda c: {"lines": [line(c, 0)]}, ["lines.0.quantity"]),
        (lambda c: {"lines": [line(c, 1), line(c, -1, 1)]}, ["lines.1.quantity"]),
        (lambda c: {"lines": [line(c, 2**31 - 1)]}, ["lines.0.quantity"]),
        (lambda c: {"lines": [line(c, 1), line(c, 1)]}, ["lines.1.tierId"]),
        (lambda c: {"lines": [{"tierId": "x", "quantity": 1}, {"tierId": c.id, "quantity": 1}]},
         ["lines.0.tierId", "lines.1.tierId"]),
        (lambda c: {"lines": [{"tierId": ids.of_tier(tier_id(UNKNOWN, 1)), "quantity": 1}]}, ["lines.0.tierId"]),
        (lambda c: {"idempotencyKey": ""}, ["idempotencyKey"]),
        (lambda c: {"idempotencyKey": LONG}, ["idempotencyKey"]),
        (lambda c: {"idempotencyKey": "a\u0000b"}, ["idempotencyKey"]),
        (lambda c: {"lines": [line(c, 0)], "idempotencyKey": ""}, ["idempotencyKey", "lines.0.quantity"]),
    ],
)  # fmt: skip
async def test_invalid_hold_is_refused_and_changes_nothing(
    shop: Shop, change: Callable[[OnSale], Input], paths: list[str]
) -> None:
    concert = await shop.on_sale()
    input_ = hold_input(concert, 1) | change(concert)
    refused = (await shop.fields(HOLD, by="alice", input=input_))["holdTickets"]
    assert problems(refused) == paths
    assert await shop.stock(concert) == UNTOUCHED


@pytest.mark.parametrize(
    ("change", "paths"),
    [
        ({"customerName": LONG}, ["customerName"]),
        ({"customerName": "  "}, ["customerName"]),
        ({"customerEmail": "alice"}, ["customerEmail"]),
        ({"customerEmail": "alice@"}, ["customerEmail"]),
        ({"customerEmail": "a b@example.org"}, ["customerEmail"]),
        ({"customerEmail": f"{LONG}@example.org"}, ["customerEmail"]),
        ({"idempotencyKey": LONG}, ["idempotencyKey"]),
        ({"holdId": "nonsense"}, ["holdId"]),
        ({"holdId": None}, ["what"]),
        ({"lines": []}, ["what"]),
        ({"holdId": None, "lines": []}, ["what"]),
        ({"customerName": "", "customerEmail": "@"}, ["customerName", "customerEmail"]),
    ],
)
async def test_invalid_purchase_of_a_hold_is_refused_and_changes_nothing(
    shop: Shop, change: Input, paths: list[str]
) -> None:
    concert = await shop.on_sale()
    hold = (await shop.hold(concert, 2))["hold"]
    assert problems(await shop.buy({"holdId": hold["id"]} | change)) == paths
    assert await shop.stock(concert) == [(98, 2, 0), (2, 0, 0)]


@pytest.mark.parametrize(
    ("change", "paths"),
    [
        (lambda c: {"lines": []}, ["lines"]),
        (lambda c: {"concertId": "x", "lines": [{"tierId": "y", "quantity": 1}]}, ["concertId", "lines.0.tierId"]),
        (lambda c: {"lines": [line(c, 0)], "customerEmail": "x"}, ["customerEmail", "lines.0.quantity"]),
    ],
)
async def test_invalid_purchase_without_a_hold_is_refused_and_changes_nothing(
    shop: Shop, change: Callable[[OnSale], Input], paths: list[str]
) -> None:
    concert = await shop.on_sale()
    input_: Input = {"concertId": concert.id, "lines": lines(concert, 1)}
    assert problems(await shop.buy(input_ | change(concert))) == paths
    assert await shop.stock(concert) == UNTOUCHED


@pytest.mark.parametrize(
    ("change", "paths"),
    [
        ({"name": LONG}, ["name"]),
        ({"name": ""}, ["name"]),
        ({"slug": "Not A Slug"}, ["slug"]),
        ({"description": LONG}, ["description"]),
        (
            {"venue": {"name": LONG, "city": "", "country": "Germany", "timeZone": "Berlin"}},
            ["venue.name", "venue.city", "venue.country", "venue.timeZone"],
        ),
        ({"salesStartAt": "2099-01-01T00:00:00Z"}, ["salesEndAt"]),
        ({"startsAt": "1999-01-01T00:00:00Z"}, ["startsAt", "salesEndAt"]),
        ({"limitPerOrder": 0, "limitPerPerson": -1}, ["limitPerOrder", "limitPerPerson"]),
        ({"holdDurationSeconds": 0}, ["holdDurationSeconds"]),
        ({"holdDurationSeconds": 2**31 - 1}, ["holdDurationSeconds"]),
        ({"tiers": []}, ["tiers"]),
        ({"tiers": [{"name": "A", "priceMinor": -1, "capacity": 0}]}, ["tiers.0.priceMinor", "tiers.0.capacity"]),
        ({"tiers": [{"name": "A", "priceMinor": 100, "capacity": 2**31 - 1}]}, ["tiers.0.capacity"]),
        ({"tiers": [{"name": "A", "priceMinor": 100, "capacity": 1}] * 2}, ["tiers.1.name"]),
    ],
)  # fmt: skip
async def test_invalid_concert_is_refused_and_not_created(shop: Shop, change: Input, paths: list[str]) -> None:
    catalog = "{ concerts(first: 100) { nodes { id } } }"
    before = await shop.fields(catalog, by="olivia")
    refused = (await shop.fields(CREATE, by="olivia", input=concert_input(**change)))["createConcert"]
    assert [problem["path"] for problem in refused["problems"]] == paths
    assert refused["code"] == "INVALID_INPUT"
    assert await shop.fields(catalog, by="olivia") == before


async def test_slug_can_be_used_only_once(shop: Shop) -> None:
    slug = f"once-{new_key()}"
    await shop.draft(slug=slug)
    refused = (await shop.fields(CREATE, by="olivia", input=concert_input(slug=slug)))["createConcert"]
    assert [problem["path"] for problem in refused["problems"]] == ["slug"]


@pytest.mark.parametrize(
    ("document", "field", "input_"),
    [
        (HOLD, "holdTickets", {
            "concertId": ids.of_concert(UNKNOWN),
            "lines": [{"tierId": ids.of_tier(tier_id(UNKNOWN, 1)), "quantity": 1}],
            "idempotencyKey": "k",
        }),
        (RELEASE, "releaseHold", {"holdId": ids.of_hold(UNKNOWN, HoldId("0" * 32))}),
        (PUBLISH, "publishConcert", {"concertId": ids.of_concert(UNKNOWN)}),
    ],
)  # fmt: skip
async def test_unknown_concert_or_hold_is_not_found(shop: Shop, document: str, field: str, input_: Input) -> None:
    refused = (await shop.fields(document, by="olivia", input=input_))[field]
    assert (refused["__typename"], refused["code"]) == ("NotFoundError", "NOT_FOUND")


async def test_purchase_of_an_unknown_hold_is_not_found(shop: Shop) -> None:
    concert = await shop.on_sale()
    reader = ids.decode(concert.id)
    refused = await shop.buy({"holdId": ids.of_hold(ConcertId(reader.parts[0]), HoldId("0" * 32))})
    assert (refused["__typename"], refused["code"]) == ("NotFoundError", "NOT_FOUND")
    assert await shop.stock(concert) == UNTOUCHED


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"quantity": "two"}, "Int cannot represent"),
        ({"quantity": 1.5}, "Int cannot represent"),
        ({"quantity": True}, "Int cannot represent"),
        ({"quantity": 2**31}, "32-bit"),
        ({"quantity": 10**30}, "Int cannot represent"),
        ({"quantity": None}, "non-null type"),
        ({"quantity": [1]}, "Int cannot represent"),
        ({"tierId": {"a": 1}}, "ID cannot represent"),
        ({"seat": "A1"}, "unknown field 'seat'"),
    ],
)
async def test_wrong_types_and_unknown_fields_are_refused_and_change_nothing(
    shop: Shop, change: Input, words: str
) -> None:
    concert = await shop.on_sale()
    input_ = {"concertId": concert.id, "lines": [line(concert, 1) | change], "idempotencyKey": new_key()}
    answer = await shop.ask(HOLD, by="alice", input=input_)
    (error,) = answer["errors"]
    assert ("data" in answer, error["extensions"]["code"]) == (False, "BAD_USER_INPUT")
    assert words in error["message"]
    assert await shop.stock(concert) == UNTOUCHED


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("startsAt", "tomorrow", "ISO 8601"),
        ("startsAt", "2031-01-01T20:00:00", "time zone"),
        ("startsAt", "2031-02-30T20:00:00Z", "not a valid DateTime"),
        ("startsAt", "9999-12-31T23:59:59-12:00", "years"),
        ("startsAt", 1_900_000_000, "ISO 8601"),
        ("currency", "XXX", "CurrencyCode"),
        ("currency", 1, "CurrencyCode"),
        ("venue", "Olympiahalle", "VenueInput"),
    ],
)
async def test_error_for_an_invalid_scalar_or_enum_says_what_is_accepted(
    shop: Shop, field: str, value: object, words: str
) -> None:
    answer = await shop.ask(CREATE, by="olivia", input=concert_input(**{field: value}))
    assert {error["extensions"]["code"] for error in answer["errors"]} == {"BAD_USER_INPUT"}
    assert any(words in error["message"] and field in error["message"] for error in answer["errors"])


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ('{ node(id: "nonsense") { id } }', "`id`"),
        ('{ concert(id: "nonsense") { id } }', "`id`"),
        ("{ concert { id } }", "Send `by` with an id or a slug"),
        ('{ concert(id: "x", slug: "y") { id } }', "Send `by` with an id or a slug"),
        ("{ concerts(first: 0) { nodes { id } } }", "1 to 100"),
        ("{ concerts(first: 101) { nodes { id } } }", "1 to 100"),
        ('{ concerts(after: "nonsense") { nodes { id } } }', "cursor"),
        ('{ concerts(after: "ü") { nodes { id } } }', "cursor"),
        ('{ order(id: "nonsense") { id } }', "`id`"),
        ("{ me { orders(first: -1) { nodes { id } } } }", "1 to 100"),
    ],
)
async def test_invalid_query_argument_causes_a_top_level_error(shop: Shop, document: str, words: str) -> None:
    (error,) = (await shop.ask(document, by="alice"))["errors"]
    assert error["extensions"]["code"] == "BAD_USER_INPUT"
    assert words in error["message"]


@pytest.mark.parametrize(
    "document",
    [
        f'{{ node(id: "{ids.of_concert(UNKNOWN)}") {{ id }} }}',
        f'{{ node(id: "{ids.of_tier(tier_id(UNKNOWN, 1))}") {{ id }} }}',
        f'{{ node(id: "{ids.of_hold(UNKNOWN, HoldId("0" * 32))}") {{ id }} }}',
        f'{{ node: order(id: "{ids.of_order(OrderId("0" * 32))}") {{ id }} }}',
        '{ node: concert(slug: "no-such-concert") { id } }',
    ],
)
async def test_well_formed_but_unknown_id_returns_null(shop: Shop, document: str) -> None:
    assert await shop.fields(document, by="alice") == {"node": None}


def _encoded(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")
