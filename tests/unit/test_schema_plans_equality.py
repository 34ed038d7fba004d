"""Plans answer as graphql-core does: random operations, null propagation, mutations, arguments."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import graphql
import pytest
from graphql import build_schema, parse

from proofs.plans.comparison import Outcome, build_core, compile_for, execute_by_core, write_outcome
from proofs.plans.proof import Counts, prove_operations
from schema.execution.input_bounds import INPUT_BOUNDS
from schema.plans.plain_fields import PlainField, all_fields, set_plain_field
from schema.plans.variables import InputCoercers

OPERATIONS = 300
OPERATIONS_PER_WORLD = 30
CONTEXT = object()
Resolver = Callable[..., Any]

DEPTHS = 6
"""Levels of objects below the root. The last one has the field that fails."""


@pytest.fixture(autouse=True)
def no_error_log() -> Iterator[None]:
    logging.disable()
    yield
    logging.disable(logging.NOTSET)


async def test_random_operations_get_the_answers_of_graphql_core() -> None:
    counts = Counts()
    while counts.operations < OPERATIONS:
        await prove_operations(counts.operations, OPERATIONS_PER_WORLD, counts)
    # Most operations are compiled, and errors are common.
    assert counts.failed > OPERATIONS / 4
    assert counts.uncompiled < OPERATIONS / 10


class Calls:
    """A schema with given resolvers, which records their calls."""

    def __init__(self, sdl: str, resolvers: dict[str, Resolver]) -> None:
        self.schema = build_schema(sdl)
        self.calls: list[str] = []
        for type_name, name, field in all_fields(self.schema):
            resolve = resolvers.get(f"{type_name}.{name}")
            if resolve is None:
                field.resolve = lambda source, _, name=name: getattr(source, name)
                set_plain_field(field, PlainField(attribute=name))
            else:
                field.resolve = self._recorded(f"{type_name}.{name}", resolve)
                set_plain_field(field, PlainField(resolve=field.resolve))

    def _recorded(self, coordinate: str, resolve: Resolver) -> Resolver:
        def recorded(source: object, info: Any, **arguments: object) -> Any:
            self.calls.append(coordinate)
            return resolve(source, info, **arguments)

        return recorded

    async def outcomes(self, text: str, **variables: Any) -> tuple[Outcome, Outcome]:
        """Execute by graphql-core and by a plan."""
        document = parse(text)
        expected = write_outcome(await execute_by_core(self.schema, document, None, CONTEXT, variables), self.calls)
        compiled = compile_for(self.schema, document, variables, InputCoercers(INPUT_BOUNDS), lambda _: None)
        assert compiled.plan is not None
        assert compiled.variables is not None
        result = await compiled.plan.execute(None, CONTEXT, compiled.variables, self._make_core(document, variables))
        return expected, write_outcome(result, self.calls)

    def _make_core(self, document: graphql.DocumentNode, variables: dict[str, Any]) -> Callable[[], Any]:
        return lambda: build_core(self.schema, document, None, CONTEXT, variables)


def _chain(nullable_at: int) -> str:
    """Return an SDL of nested objects, whose field is nullable at one depth only."""
    fields = [
        f"type {'Query' if depth == 0 else f'T{depth}'} {{ inner: T{depth + 1}{'' if depth == nullable_at else '!'} }}"
        for depth in range(DEPTHS)
    ]
    return "\n".join([*fields, f"type T{DEPTHS} {{ bad: Int! good: Int }}"])


def _later(resolve: Resolver) -> Resolver:
    async def resolve_later(*given: Any, **arguments: Any) -> Any:
        await asyncio.sleep(0)
        return resolve(*given, **arguments)

    return resolve_later


@pytest.mark.parametrize("is_async", [False, True])
@pytest.mark.parametrize("bad", [None, "wrong", ValueError("returned"), ZeroDivisionError])
@pytest.mark.parametrize("nullable_at", range(DEPTHS + 1))
async def test_error_makes_the_nearest_nullable_field_null(nullable_at: int, bad: Any, *, is_async: bool) -> None:
    def fail(*_: object) -> Any:
        if bad is ZeroDivisionError:
            raise ZeroDivisionError
        return bad

    resolvers: dict[str, Resolver] = {"Query.inner": lambda *_: object(), f"T{DEPTHS}.bad": fail}
    resolvers |= {f"T{depth}.inner": lambda *_: object() for depth in range(1, DEPTHS)}
    resolvers[f"T{DEPTHS}.good"] = lambda *_: 1
    used = {name: _later(resolve) for name, resolve in resolvers.items()} if is_async else resolvers
    calls = Calls(_chain(nullable_at), used)
    expected, found = await calls.outcomes("{ inner " * DEPTHS + "{ bad good }" + " }" * DEPTHS)
    assert found == expected
    shown = b'{"inner":' * (nullable_at + 1) if nullable_at < DEPTHS else b""
    assert found.answer.startswith(b"[" + shown + b"null")


SHOP = """
type Query { unused: Int }
type Mutation { buy(count: Int!): Order! refund(count: Int!): Order }
type Order { count: Int! }
"""


class Order:
    def __init__(self, count: object) -> None:
        self.count = count


@pytest.mark.parametrize("wrap", [lambda resolve: resolve, _later])
@pytest.mark.parametrize("second", ["broken: buy(count: 2)", "broken: refund(count: 2)", "broken: buy(count: $none)"])
async def test_second_of_two_mutations_fails_and_neither_runs_twice(
    second: str, wrap: Callable[[Resolver], Callable[..., Awaitable[Any]]]
) -> None:
    def buy(_source: object, _info: object, count: int) -> Order:
        if count == 2:
            raise ValueError("sold out")
        return Order("wrong" if count == 3 else count)

    calls = Calls(SHOP, {"Mutation.buy": wrap(buy), "Mutation.refund": wrap(buy)})
    selections = f"buy(count: 1) {{ count }} {second} {{ count }} last: buy(count: 4) {{ count }}"
    text = f"mutation ($none: Int = 1) {{ {selections} }}"
    expected, found = await calls.outcomes(text, none=None)
    assert found == expected
    fails_alone = second.startswith("broken: refund")
    reached = {"broken: buy(count: 2)": 2, "broken: refund(count: 2)": 3, "broken: buy(count: $none)": 1}[second]
    assert len(found.calls) == reached
    assert found.answer.startswith(b'[{"buy":{"count":1}' if fails_alone else b"[null,")


@pytest.mark.parametrize("wrap", [lambda resolve: resolve, _later])
async def test_result_that_cannot_be_shown_is_not_resolved_again(wrap: Callable[[Resolver], Resolver]) -> None:
    calls = Calls(SHOP, {"Mutation.buy": wrap(lambda *_, count: Order("wrong"))})
    expected, found = await calls.outcomes("mutation { buy(count: 3) { __typename count } }")
    assert found == expected
    assert found.calls == ["Mutation.buy"]


ARGUMENTS = """
enum Color { RED GREEN }
input Filter { color: Color = RED, sizes: [Int!], inner: Filter2 }
input Filter2 { deep: [[String]] }
input Either @oneOf { id: ID slug: String }
type Query {
  show(id: ID, count: Int! = 3, color: Color, colors: [Color!], filter: Filter, either: Either, flag: Boolean): String
}
"""


@pytest.mark.parametrize(
    ("given", "variables"),
    [
        ("", {}),
        ("id: 5, count: 7, color: GREEN, flag: true", {}),
        ("id: null, color: null", {}),
        ("colors: RED", {}),
        ("colors: [RED, $color]", {"color": "GREEN"}),
        ('filter: {sizes: 1, inner: {deep: "x"}}', {}),
        ("filter: {color: $color}", {}),
        ("filter: {color: $color}", {"color": None}),
        ("count: $count", {}),
        ("count: $count", {"count": 5}),
        ("count: $count", {"count": None}),
        ("filter: $filter", {"filter": {}}),
        ("filter: $filter", {"filter": {"sizes": [1, 2], "color": "GREEN", "inner": {"deep": [["a", None], None]}}}),
        ('either: {slug: "x"}', {}),
        ("either: $either", {"either": {"id": "x"}}),
        ("either: {slug: $slug}", {"slug": "x"}),
    ],
)
async def test_arguments_are_read_as_graphql_core_reads_them(given: str, variables: dict[str, Any]) -> None:
    def show(_source: object, _info: object, **arguments: Any) -> str:
        return repr(arguments)

    types = {"color": "Color", "count": "Int = 4", "filter": "Filter", "either": "Either", "slug": "String! "}
    declared = ", ".join(f"${name}: {type_}" for name, type_ in types.items() if f"${name}" in given)
    text = f"query {f'({declared})' if declared else ''} {{ show{f'({given})' if given else ''} }}"
    expected, found = await Calls(ARGUMENTS, {"Query.show": show}).outcomes(text, **variables)
    assert found == expected
    assert found.calls == ([] if variables == {"count": None} else ["Query.show"])
