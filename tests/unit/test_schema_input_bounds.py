"""Variables are checked against bounds before GraphQL processes them."""

from typing import Any, cast

import pytest

import schema
from domain.errors import BadUserInput
from resolvers.context import Context
from schema import Operation
from schema.execution.input_bounds import MAX_ITEMS, MAX_KEYS, MAX_VALUES, check_variables
from schema.execution.operation import MAX_INPUT_ERRORS


def test_variables_at_the_bounds_are_accepted() -> None:
    check_variables({"a": list(range(MAX_ITEMS)), "b": {str(n): n for n in range(MAX_KEYS)}})
    check_variables({"a": [[0] * 100 for _ in range(MAX_VALUES // 100 - 1)]})


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"a": ["PUBLISHED"] * 19_000}, "`variables.a` has 19000 items; send at most 500."),
        ({"a": {"b": [0] * 501}}, "`variables.a.b` has 501 items; send at most 500."),
        ({"a": [[0], [0] * 501]}, "`variables.a.1` has 501 items; send at most 500."),
        ({"input": {str(n): n for n in range(15_000)}}, "`variables.input` has 15000 keys; send at most 200."),
        ({"a": {"k" * 101: [[0]]}}, "`variables.a` has a key of more than 100 characters; use field names."),
        ({"k" * 240_000: [[[]] * 199] * 9}, "`variables` has a key of more than 100 characters; use field names."),
        ({str(n): n for n in range(201)}, "`variables` has 201 keys; send at most 200."),
        ({"a": [[0] * 200 for _ in range(20)]}, "`variables` has more than 3000 values; split the request."),
    ],
)
def test_variables_beyond_a_bound_are_refused(variables: dict[str, object], message: str) -> None:
    with pytest.raises(BadUserInput) as refusal:
        check_variables(variables)

    assert str(refusal.value) == message


async def test_refused_variables_cause_a_request_error() -> None:
    text = "query ($s: [ConcertStatus!]) { concerts(filter: {status: $s}) { nodes { id } } }"
    without_stores = Context(cast(Any, None), cast(Any, None), None, "test-request")

    result = await schema.execute(Operation(text, {"s": ["PUBLISHED"] * 501}, None), without_stores)

    assert not result.was_executed
    assert result.payload["errors"] == [
        {
            "message": "`variables.s` has 501 items; send at most 500.",
            "extensions": {"code": "BAD_USER_INPUT", "requestId": "test-request"},
        }
    ]


async def test_only_a_few_unknown_keys_are_reported() -> None:
    text = "mutation ($input: UpdateConcertInput!) { updateConcert(input: $input) { __typename } }"
    unknown = {f"salesStartAx{number}": 0 for number in range(190)}
    without_stores = Context(cast(Any, None), cast(Any, None), None, "test-request")

    result = await schema.execute(Operation(text, {"input": unknown}, None), without_stores)

    errors = cast("list[dict[str, Any]]", result.payload["errors"])
    assert len(errors) == MAX_INPUT_ERRORS + 1
    assert "error limit reached" in errors[-1]["message"]
