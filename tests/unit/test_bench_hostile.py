"""The documents of `make bench-hostile` are within the limits, and those to compile can be."""

import pytest
from graphql import get_operation_ast, parse, validate

from bench.hostile.attacks import ATTACKS, COMPILED, Attack
from bench.hostile.probe import timed_compilations
from schema import CORE_SCHEMA
from schema.execution.input_bounds import INPUT_BOUNDS
from schema.plans.document_plans import PlanCompiler
from schema.strawberry_fixes import object_type_of


@pytest.mark.parametrize("attack", COMPILED, ids=lambda attack: attack.name)
def test_shape_to_compile_is_valid_and_has_a_plan(attack: Attack) -> None:
    document = parse(attack.document)
    assert validate(CORE_SCHEMA, document) == []
    operation = get_operation_ast(document)
    assert operation is not None
    compiler = PlanCompiler(CORE_SCHEMA, object_type_of, INPUT_BOUNDS)
    coerce = compiler.compile_variables(operation).coerce
    with timed_compilations() as took_ms:
        compiler.compile(document, operation, coerce(attack.variables))
    assert len(took_ms) == 1


def test_shapes_are_sent_twice_with_each_comment() -> None:
    bodies = [COMPILED[0].body(number) for number in range(4)]
    assert bodies[0] == bodies[1] != bodies[2] == bodies[3]


def test_each_attack_has_its_own_name() -> None:
    assert len({attack.name for attack in ATTACKS}) == len(ATTACKS)
