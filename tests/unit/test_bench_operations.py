"""The benchmark of operations compares two applications, and each of its documents has a plan."""

import pytest
from graphql import get_operation_ast, parse, validate

from bench.metrics import NotMeasured
from bench.operations.__main__ import AFTER, BEFORE, Part, summarize_parts
from bench.operations.buyers import CATALOG, HEARTBEAT, PURCHASE
from bench.peers.onsale import CLAIM
from bench.queueing.joins import JOIN
from bench.stock_sale import HOLD
from schema import CORE_SCHEMA
from schema.plans.compile import compile_operation
from schema.strawberry_fixes import object_type_of


def test_row_has_the_ratio_of_both_medians() -> None:
    parts = {"join": {BEFORE: Part([400.0, 300.0, 310.0], [0.0, 0.2, 0.1]), AFTER: Part([150.0, 155.0, 160.0], [0.0])}}
    [row] = summarize_parts(parts)
    assert row["operation"] == "join"
    assert row["before_us"] == {"median": 310, "min": 300, "max": 400}
    assert (row["after_us"]["median"], row["ratio"], row["noise"]) == (155, 2.0, 0.2)


def test_operation_without_a_round_is_not_measured() -> None:
    with pytest.raises(NotMeasured):
        summarize_parts({"join": {BEFORE: Part(), AFTER: Part()}})


@pytest.mark.parametrize("document", [CATALOG, JOIN, HEARTBEAT, CLAIM, HOLD, PURCHASE])
def test_each_measured_document_can_be_compiled(document: str) -> None:
    ast = parse(document)
    assert validate(CORE_SCHEMA, ast) == []
    operation = get_operation_ast(ast)
    assert operation is not None
    assert compile_operation(CORE_SCHEMA, ast, operation, {}, object_type_of)
