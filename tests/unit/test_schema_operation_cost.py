"""The cost of an operation is computed from its document and variables before any data is read."""

import re
from pathlib import Path
from typing import Any, cast

import pytest
from graphql import (
    GraphQLInterfaceType,
    GraphQLObjectType,
    get_introspection_query,
    parse,
    print_ast,
    validate,
)
from graphql.language import OperationDefinitionNode

import schema
from domain.limits.operations import DEFAULT_LIMITS, OperationLimits
from resolvers.context import Context
from schema import DocumentRules, Operation, build_engine
from schema.execution.field_costs import LIST_LENGTHS, build_cost_table
from schema.execution.operation_cost import build_operation_costs, is_list_of_objects

SCHEMA = schema.CORE_SCHEMA
TABLE = build_cost_table(SCHEMA)
WITHOUT_STORES = Context(cast(Any, None), cast(Any, None), None, "test-request")
EXAMPLES = (Path(__file__).parents[2] / "frontend" / "src" / "graphiql" / "examples.ts").read_text()
PAGE = """{ concerts(first: 100) { pageInfo { hasNextPage endCursor } nodes {
    id slug name description venue { name city country } startsAt salesStartAt salesEndAt isOnSale status version
    tiers { id name price { amount currency } capacity available }
    stock { version epoch soldOut tiers { tierId available } }
    waitingRoom { status waitingCount opensAt } } } }"""


def cost(text: str, **variables: object) -> int:
    document = parse(text)
    assert validate(SCHEMA, document) == []
    (found,) = build_operation_costs(SCHEMA, document, TABLE).values()
    return found.evaluate(variables)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{ serverTime }", 1),
        ("{ a: serverTime b: serverTime }", 2),
        ("{ __typename }", 1),
        ('{ concert(slug: "a") { id name } }', 10 + 2),
        ('{ concert(slug: "a") { tiers { id name } } }', 10 + 1 + 20 * 2),
        ("{ concerts { nodes { id } } }", 10 + 1 + 20),
        ("{ concerts(first: 3) { nodes { id } } }", 10 + 1 + 3),
        ("{ concerts(first: 3) { pageInfo { endCursor } edges { cursor node { id } } } }", 10 + 2 + 1 + 3 * 3),
        ("{ concerts(first: 2) { nodes { tiers { id } } } }", 10 + 1 + 2 * (1 + 20)),
        (
            "{ concerts(first: 2) { ...P } } fragment P on ConcertConnection { nodes { ... on Node { id } } }",
            10 + 1 + 2,
        ),
        (
            "{ a: concerts(first: 2) { ...P } b: concerts(first: 5) { ...P } } fragment P on ConcertConnection "
            "{ nodes { id } }",
            10 + 1 + 2 + 10 + 1 + 5,
        ),
        ("{ me { holds { id lines { quantity } } } }", 1 + 10 + 10 * (1 + 1 + 5)),
        ("{ serverTime @skip(if: true) }", 1),
        ('mutation { joinQueue(input: {concertId: "a"}) { ... on JoinQueueSuccess { entry { id } } } }', 100 + 2),
    ],
)
def test_cost_of_a_list_is_multiplied_by_its_length(text: str, expected: int) -> None:
    assert cost(text) == expected


@pytest.mark.parametrize(("first", "shown"), [(1, 1), (100, 100), (10**6, 100), (0, 0), (-5, 0), (None, 20)])
def test_page_size_may_be_given_in_a_variable(first: int | None, shown: int) -> None:
    text = "query ($n: Int) { concerts(first: $n) { nodes { id } } }"

    assert cost(text, n=first) == 10 + 1 + shown


@pytest.mark.parametrize(
    ("head", "arguments", "shown"),
    [
        ("", "last: 3", 3),
        ("query ($n: Int)", "last: $n", 7),
        ("query ($n: Int)", "first: 2, last: $n", 7),
        ("query ($n: Int, $none: Int)", "first: $none, last: $n", 7),
        ("query ($none: Int)", "last: $none", 20),
    ],
)
def test_page_size_is_the_larger_of_first_and_last(head: str, arguments: str, shown: int) -> None:
    text = f"{head} {{ concerts({arguments}) {{ nodes {{ id }} }} }}"

    assert cost(text, n=7, none=None) == 10 + 1 + shown


def test_every_list_without_a_page_size_has_a_length() -> None:
    lists = {
        f"{type_.name}.{name}"
        for type_ in SCHEMA.type_map.values()
        if isinstance(type_, GraphQLObjectType | GraphQLInterfaceType) and not type_.name.endswith("Connection")
        for name, field in type_.fields.items()
        if is_list_of_objects(field)
    }

    assert lists == LIST_LENGTHS.keys()


def test_every_listed_field_is_in_the_schema() -> None:
    for name in TABLE.costs:
        type_name, _, field_name = name.partition(".")
        assert field_name in cast("GraphQLObjectType", SCHEMA.type_map[type_name]).fields


def test_full_page_of_concerts_is_allowed() -> None:
    assert cost(PAGE) <= DEFAULT_LIMITS.cost
    own = "myHold { id state expiresAt total { amount } } myQueueEntry { id state position }"
    assert cost(PAGE.replace("waitingRoom", f"{own} waitingRoom")) <= DEFAULT_LIMITS.cost


def test_examples_in_graphiql_are_allowed() -> None:
    texts = [text for text in re.findall(r"`([^`]*\{[^`]*)`", EXAMPLES) if "${" not in text]
    operations = [
        print_ast(node)
        for text in texts
        for node in parse(text).definitions
        if isinstance(node, OperationDefinitionNode)
    ]

    assert len(operations) > 5
    assert max(map(cost, operations)) <= DEFAULT_LIMITS.cost


def test_graphiqls_introspection_query_is_allowed() -> None:
    text = get_introspection_query(
        descriptions=True,
        specified_by_url=True,
        directive_is_repeatable=True,
        schema_description=True,
        input_value_deprecation=True,
    )

    assert DEFAULT_LIMITS.cost < cost(text) <= DEFAULT_LIMITS.introspection_cost


async def test_costly_operation_is_refused_before_it_reads_anything() -> None:
    page = "concerts(first: $n) { nodes { id stock { version } tiers { available } } }"
    text = "query ($n: Int) { " + " ".join(f"a{number}: {page}" for number in range(20)) + " }"

    result = await schema.execute(Operation(text, {"n": 100}, None), WITHOUT_STORES)

    (error,) = cast("list[dict[str, Any]]", result.payload["errors"])
    assert not result.was_executed
    assert error["message"] == (
        f"This operation costs 66,220, and the limit is {DEFAULT_LIMITS.cost:,}; request shorter pages or fewer fields."
    )
    assert error["extensions"] == {
        "code": "QUERY_TOO_COMPLEX",
        "cost": 66_220,
        "limit": DEFAULT_LIMITS.cost,
        "requestId": "test-request",
    }


async def test_operation_is_refused_only_above_the_configured_cost() -> None:
    for limit, is_refused in ((11, False), (10, True)):
        engine = build_engine(DocumentRules(limits=OperationLimits(cost=limit)))
        result = await engine.executor.execute(Operation('{ node(id: "x") { id } }', {}, None), WITHOUT_STORES)
        errors = cast("list[dict[str, Any]]", result.payload["errors"])
        assert (errors[0]["extensions"]["code"] == "QUERY_TOO_COMPLEX") is is_refused


@pytest.mark.parametrize(
    ("text", "cost"),
    [
        ("{ serverTime }", {"requested": 1, "limit": 30_000}),
        ("{ a: serverTime b: serverTime __typename }", {"requested": 3, "limit": 30_000}),
        ('{ __type(name: "Tier") { name } }', {"requested": 2, "limit": 400_000}),
    ],
)
async def test_answer_states_its_cost_and_the_limit(text: str, cost: dict[str, int]) -> None:
    for _ in range(2):
        result = await schema.execute(Operation(text, {}, None), WITHOUT_STORES)
        assert result.payload["extensions"] == {"cost": cost}
