"""Long lists in a query are completed item by item in time slices, unlike short inner lists."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import graphql
import pytest
from graphql import ExecutionResult, build_schema, parse

from schema.execution.long_lists import MAX_INNER, yield_in_long_lists

SDL = """
type Query { items: [Item!]! }
type Mutation { items: [Item!]! }
type Item { number: Int! parts: [Part!]! }
type Part { number: Int! }
"""


@dataclass
class Lists:
    """A context that records the lengths of the lists that are iterated."""

    lengths: list[int] = field(default_factory=list)

    async def iterate(self, items: Sequence[Any]) -> AsyncIterator[Any]:
        self.lengths.append(len(items))
        for item in items:
            yield item


def make_items(count: int, parts: int) -> list[dict[str, Any]]:
    return [{"number": n, "parts": [{"number": p} for p in range(parts)]} for n in range(count)]


async def execute(document: str, items: int, parts: int) -> tuple[Any, list[int]]:
    schema = build_schema(SDL)
    for type_name, name in (("Query", "items"), ("Mutation", "items"), ("Item", "parts")):
        resolved = cast(graphql.GraphQLObjectType, schema.type_map[type_name]).fields[name]
        resolved.resolve = lambda source, info: source[info.field_name]
    yield_in_long_lists(schema)
    context = Lists()
    root = {"items": make_items(items, parts)}
    result = graphql.execute(schema, parse(document), root_value=root, context_value=context)
    result = result if isinstance(result, ExecutionResult) else await result
    assert result.errors is None
    return result.data, context.lengths


@pytest.mark.parametrize(
    ("items", "parts", "lengths"),
    [(1, 1, []), (2, 1, [2]), (3, MAX_INNER, [3]), (2, MAX_INNER + 1, [2, 11, 11]), (1, MAX_INNER + 1, [11])],
)
async def test_outer_lists_and_long_inner_lists_are_iterated(items: int, parts: int, lengths: list[int]) -> None:
    data, iterated = await execute("{ items { number parts { number } } }", items, parts)

    assert data == {"items": make_items(items, parts)}
    assert iterated == lengths


async def test_lists_in_a_mutation_are_completed_without_time_slices() -> None:
    data, iterated = await execute("mutation { items { number } }", 50, 0)

    assert len(data["items"]) == 50
    assert iterated == []
