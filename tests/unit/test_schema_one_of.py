"""An input marked @oneOf has exactly one field, in literals, in variables and in the SDL."""

from dataclasses import replace
from typing import Any, cast

import pytest
from graphql import build_schema, is_input_object_type

import schema
from domain.ids import ConcertId, HoldId
from resolvers.context import Context
from schema import Operation, ids
from tests.support.sale import viewer

WITHOUT_STORES = Context(cast(Any, None), cast(Any, None), None, "test-request")
ALICE = replace(WITHOUT_STORES, given_viewer=viewer("alice"))
HOLD = ids.of_hold(ConcertId("abc"), HoldId("d"))
BY = "query ($by: ConcertBy) { concert(by: $by) { id } }"
BUY = """mutation ($input: PurchaseTicketsInput!) { purchaseTickets(input: $input) {
    __typename ... on InvalidInputError { problems { path message } } } }"""
EXACTLY_ONE = "exactly one field must be specified, and the value for that field must be non-null"
BUYER = {"customerName": "Alice", "customerEmail": "alice@example.org", "idempotencyKey": "k"}
NEW_HOLD = {"concertId": "x", "lines": [{"tierId": "y", "quantity": 0}]}


async def run(document: str, asking: Context = WITHOUT_STORES, **variables: object) -> dict[str, Any]:
    return (await schema.execute(Operation(document, variables, None), asking)).payload


def one_of_types(core: Any) -> set[str]:
    return {name for name, type_ in core.type_map.items() if is_input_object_type(type_) and type_.is_one_of}


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ('{id: "a", slug: "b"}', EXACTLY_ONE),
        ("{}", EXACTLY_ONE),
        ("{slug: null}", EXACTLY_ONE),
        ('{id: null, slug: "b"}', EXACTLY_ONE),
        ('{id: "a", name: "b"}', "unknown field 'name'"),
    ],
)
async def test_literal_without_exactly_one_field_is_refused(argument: str, message: str) -> None:
    (error,) = (await run(f"{{ concert(by: {argument}) {{ id }} }}"))["errors"]
    assert message in error["message"]
    assert error["message"].startswith("`by")


@pytest.mark.parametrize("value", [{"id": "a", "slug": "b"}, {}, {"slug": None}, {"id": None, "slug": "b"}])
async def test_variable_without_exactly_one_field_is_refused(value: dict[str, object]) -> None:
    payload = await run(BY, by=value)
    assert "data" not in payload
    assert EXACTLY_ONE in payload["errors"][0]["message"]
    assert payload["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT"


@pytest.mark.parametrize("given", [{}, {"slug": None}, {"slug": "a"}])
async def test_nullable_variable_for_the_field_is_refused(given: dict[str, Any]) -> None:
    payload = await run("query ($slug: String) { concert(by: {slug: $slug}) { id } }", **given)
    assert "data" not in payload
    assert "must be non-nullable to be used for OneOf Input Object 'ConcertBy'" in payload["errors"][0]["message"]


@pytest.mark.parametrize(
    "arguments",
    ["", "(by: null)", '(by: {slug: "a"}, slug: "b")', '(by: {slug: "a"}, id: "b")', '(id: "a", slug: "b")'],
)
async def test_concert_needs_exactly_one_id_or_slug(arguments: str) -> None:
    (error,) = (await run(f"{{ concert{arguments} {{ id }} }}"))["errors"]
    assert error["message"] == "Send `by` with an id or a slug, and omit the arguments `id` and `slug`."
    assert error["extensions"]["code"] == "BAD_USER_INPUT"


@pytest.mark.parametrize(("argument", "name"), [('by: {id: "a"}', "by.id"), ('id: "a"', "id")])
async def test_malformed_id_is_reported_where_it_was_sent(argument: str, name: str) -> None:
    (error,) = (await run(f"{{ concert({argument}) {{ id }} }}"))["errors"]
    assert error["message"].startswith(f"`{name}`: 'a' is not a valid id")


def test_sdl_and_introspection_mark_the_same_inputs() -> None:
    expected = {"ConcertBy", "PurchaseWhat"}
    assert one_of_types(schema.CORE_SCHEMA) == expected
    assert one_of_types(build_schema(schema.sdl())) == expected
    assert "directive @oneOf" not in schema.sdl()


async def test_introspection_tells_clients_which_inputs_are_one_of() -> None:
    types = (await run("{ __schema { types { name kind isOneOf } } }"))["data"]["__schema"]["types"]
    assert {type_["name"] for type_ in types if type_["isOneOf"]} == {"ConcertBy", "PurchaseWhat"}


@pytest.mark.parametrize(
    ("what", "paths"),
    [
        ({"what": {"holdId": "x"}}, ["what.holdId"]),
        ({"holdId": "x"}, ["holdId"]),
        (
            {"what": {"newHold": NEW_HOLD}},
            ["what.newHold.concertId", "what.newHold.lines.0.tierId", "what.newHold.lines.0.quantity"],
        ),
        (NEW_HOLD, ["concertId", "lines.0.tierId", "lines.0.quantity"]),
        ({"what": {"holdId": HOLD}, "holdId": HOLD}, ["what"]),
        ({"what": {"holdId": HOLD}, "queuePass": "p"}, ["what"]),
        ({"what": {"newHold": NEW_HOLD}, **NEW_HOLD}, ["what"]),
        ({"holdId": HOLD, **NEW_HOLD}, ["what"]),
        ({"what": None}, ["what"]),
        ({}, ["what"]),
        ({"what": {"holdId": "x"}, "customerName": ""}, ["what.holdId", "customerName"]),
        ({"customerEmail": "x"}, ["what", "customerEmail"]),
    ],
)
async def test_problem_of_a_purchase_has_the_path_that_was_sent(what: dict[str, Any], paths: list[str]) -> None:
    payload = await run(BUY, ALICE, input=BUYER | what)
    assert payload["data"]["purchaseTickets"]["__typename"] == "InvalidInputError"
    assert [problem["path"] for problem in payload["data"]["purchaseTickets"]["problems"]] == paths


async def test_purchase_with_both_kinds_of_tickets_is_invalid() -> None:
    payload = await run(BUY, ALICE, input={**BUYER, "what": {"holdId": "x", "newHold": NEW_HOLD}})
    assert "data" not in payload
    assert EXACTLY_ONE in payload["errors"][0]["message"]
