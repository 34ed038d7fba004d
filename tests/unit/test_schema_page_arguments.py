"""Every connection can be read in both directions, and two directions at once are refused."""

from typing import Any, cast

import pytest
from graphql import is_object_type

import schema
from domain.errors import BadUserInput
from domain.page import PageRequest
from resolvers.context import Context
from schema import Operation
from schema.connection import read_page_request

WITHOUT_STORES = Context(cast(Any, None), cast(Any, None), None, "test-request")
FIELDS = {
    f"{type_.name}.{name}": field
    for type_ in schema.CORE_SCHEMA.type_map.values()
    if is_object_type(type_)
    for name, field in type_.fields.items()
    if str(field.type).rstrip("!").endswith("Connection")
}


def read(**given: object) -> PageRequest:
    arguments: Any = {"first": None, "after": None, "last": None, "before": None} | given
    return read_page_request(**arguments)


@pytest.mark.parametrize("name", FIELDS)
def test_every_connection_has_the_four_arguments(name: str) -> None:
    assert {"first": "Int", "after": "String", "last": "Int", "before": "String"}.items() <= {
        argument: str(definition.type) for argument, definition in FIELDS[name].args.items()
    }.items()


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, PageRequest(20)),
        ({"first": 1}, PageRequest(1)),
        ({"first": 100, "after": "c"}, PageRequest(100, "c")),
        ({"after": "c"}, PageRequest(20, "c")),
        ({"last": 3}, PageRequest(3, is_backward=True)),
        ({"last": 3, "before": "c"}, PageRequest(3, "c", is_backward=True)),
        ({"before": "c"}, PageRequest(20, "c", is_backward=True)),
    ],
)
def test_arguments_choose_a_page_and_a_direction(given: dict[str, object], expected: PageRequest) -> None:
    assert read(**given) == expected


@pytest.mark.parametrize(
    "given",
    [{"first": 1, "last": 1}, {"first": 1, "before": "c"}, {"after": "c", "last": 1}, {"after": "c", "before": "c"}],
)
def test_both_directions_at_once_are_refused(given: dict[str, object]) -> None:
    with pytest.raises(BadUserInput, match="`first` and `after` for the next page, or `last` and `before`"):
        read(**given)


@pytest.mark.parametrize(("given", "cursor"), [("first", "after"), ("last", "before")])
@pytest.mark.parametrize("size", [0, -1, 101])
def test_page_size_out_of_bounds_is_refused(given: str, cursor: str, size: int) -> None:
    with pytest.raises(BadUserInput, match=f"`{given}` is {size}; request 1 to 100 items, and more with `{cursor}`"):
        read(**{given: size})


async def test_refusal_is_a_top_level_error() -> None:
    operation = Operation("{ concerts(first: 1, last: 1) { nodes { id } } }", {}, None)
    payload = cast("dict[str, Any]", (await schema.execute(operation, WITHOUT_STORES)).payload)
    (error,) = payload["errors"]
    assert (payload["data"], error["extensions"]["code"], error["path"]) == (None, "BAD_USER_INPUT", ["concerts"])
