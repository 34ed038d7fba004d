"""Drawing a QR code takes milliseconds, so a request cannot ask for thousands of them."""

import pytest
from graphql import parse

import schema
from domain.limits.operations import DEFAULT_LIMITS
from schema.execution.field_costs import build_cost_table
from schema.execution.operation_cost import build_operation_costs

TABLE = build_cost_table(schema.CORE_SCHEMA)


def cost(text: str) -> int:
    (found,) = build_operation_costs(schema.CORE_SCHEMA, parse(text), TABLE).values()
    return found.evaluate({})


@pytest.mark.parametrize(
    "text",
    [
        "{ me { tickets(first: 50) { nodes { state holderName code qrSvg document { pdfUrl } } } } }",
        "{ me { orders { nodes { number status tickets { state code qrSvg } } } } }",
    ],
)
def test_page_of_tickets_with_their_codes_is_answered(text: str) -> None:
    assert cost(text) <= DEFAULT_LIMITS.cost


@pytest.mark.parametrize("within", ["me { tickets(first: 8) { nodes", "me { orders(first: 2) { nodes { tickets"])
def test_hundreds_of_drawings_in_one_request_are_refused(within: str) -> None:
    drawings = " ".join(f"a{number}: qrSvg" for number in range(300))
    text = f"{{ {within} {{ {drawings} }} {'} ' * within.count('{')}}}"
    assert cost(text) > 300 * 250 > DEFAULT_LIMITS.cost
