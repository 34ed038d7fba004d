"""Inputs are read as Strawberry reads them, and ids, costs and amounts are computed once."""

import base64
from collections.abc import Iterator
from typing import Any
from unittest.mock import patch

import pytest
from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLScalarType,
    is_non_null_type,
    parse,
)
from strawberry.schema.config import StrawberryConfig
from strawberry.schema.types.scalar import DEFAULT_SCALAR_REGISTRY
from strawberry.types.arguments import InputContext, convert_argument

import schema
from domain.ids import ConcertId, HoldId
from schema import ids
from schema.enums import CurrencyCode
from schema.execution.field_costs import build_cost_table
from schema.execution.operation_cost import build_operation_costs
from schema.holds import Hold
from schema.ids import Kind, MalformedId
from schema.scalars import SCALARS, Money
from schema.strawberry_fixes import make_converter
from tests.support import snapshots

CONFIG = StrawberryConfig()
REGISTRY = {**DEFAULT_SCALAR_REGISTRY, **SCALARS}
INPUTS = {
    name: type_ for name, type_ in schema.CORE_SCHEMA.type_map.items() if isinstance(type_, GraphQLInputObjectType)
}


def _value(type_: object, *, is_full: bool) -> object:
    """Return a coerced value: with all fields of each input and two items in each list, or only the
    required fields and empty lists.
    """
    match type_:
        case GraphQLNonNull(of_type=inner):
            return _value(inner, is_full=is_full)
        case GraphQLList(of_type=inner):
            return [_value(inner, is_full=True), _value(inner, is_full=False)] if is_full else []
        case GraphQLInputObjectType(fields=fields):
            return {
                name: _value(field.type, is_full=is_full)
                for name, field in fields.items()
                if is_full or is_non_null_type(field.type)
            }
        case GraphQLEnumType(values=values):
            return next(iter(values.values())).value
        case GraphQLScalarType(name=name):
            return f"a {name}"
    raise AssertionError(type_)


def _values(type_: GraphQLInputObjectType) -> Iterator[dict[str, Any]]:
    full, least = (_value(type_, is_full=is_full) for is_full in (True, False))
    assert isinstance(full, dict)
    assert isinstance(least, dict)
    yield full
    yield least
    yield {name: None if not is_non_null_type(type_.fields[name].type) else value for name, value in full.items()}


@pytest.mark.parametrize("name", INPUTS)
def test_input_is_read_as_strawberry_reads_it(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    type_ = INPUTS[name]
    definition = type_.extensions["strawberry-definition"]
    context = InputContext(info=None, config=CONFIG, scalar_registry=REGISTRY, path=())
    values = list(_values(type_))
    read = [definition.from_input(definition.origin, value, context) for value in values]
    for other in INPUTS.values():
        monkeypatch.setattr(other.extensions["strawberry-definition"], "from_input", None)
    assert read == [convert_argument(value, definition.origin, REGISTRY, CONFIG) for value in values]


@pytest.mark.parametrize("name", INPUTS)
def test_plans_read_an_input_as_strawberry_reads_it(name: str) -> None:
    definition = INPUTS[name].extensions["strawberry-definition"]
    context = InputContext(info=None, config=CONFIG, scalar_registry=REGISTRY, path=())
    convert = make_converter(INPUTS[name], definition.origin)
    assert convert is not None
    values = list(_values(INPUTS[name]))
    read = [definition.from_input(definition.origin, value, context) for value in values]
    assert [convert(value) for value in values] == read
    assert convert(None) is None


def test_absent_field_keeps_its_default_and_null_replaces_it() -> None:
    definition = INPUTS["HoldTicketsInput"].extensions["strawberry-definition"]
    context = InputContext(info=None, config=CONFIG, scalar_registry=REGISTRY, path=())
    sent = {"concertId": "c", "lines": [{"tierId": "t", "quantity": 2}], "idempotencyKey": "k"}
    read = definition.from_input(definition.origin, sent, context)
    assert (read.concert_id, read.lines[0].tier_id, read.lines[0].quantity) == ("c", "t", 2)
    assert (read.idempotency_key, read.queue_pass) == ("k", None)
    assert definition.from_input(definition.origin, sent | {"queuePass": "p"}, context).queue_pass == "p"


def test_id_is_decoded_once() -> None:
    value = ids.of_hold(ConcertId("decodedonce1"), HoldId("a" * 32))
    with patch.object(base64, "b64decode", wraps=base64.b64decode) as decode:
        decoded = [ids.decode(value, Kind.HOLD) for _ in range(3)]
    assert {one.parts for one in decoded} == {("decodedonce1", "a" * 32)}
    assert decode.call_count == 1


def test_remembered_id_of_another_kind_is_refused() -> None:
    value = ids.of_concert(ConcertId("abcdefghjkmn"))
    ids.decode(value, Kind.CONCERT)
    for _ in range(2):
        with pytest.raises(MalformedId, match="this is the id of a Concert; use the id of a Tier"):
            ids.decode(value, Kind.TIER)


def test_malformed_id_is_refused_each_time() -> None:
    for _ in range(2):
        with pytest.raises(MalformedId, match="'x' is not a valid id"):
            ids.decode("x", Kind.CONCERT)


def test_unread_fields_of_a_hold_are_not_built() -> None:
    shown = Hold.of(snapshots.hold(), CurrencyCode.EUR)
    with patch.object(Money, "of", wraps=Money.of) as made:
        assert (shown.state, shown.version) == ("HELD", 0)
        assert made.call_count == 0
        assert shown.total.minor == sum(line.total.minor for line in shown.lines)
        assert made.call_count == 1 + 2 * len(shown.lines)


def test_hold_has_no_other_attributes() -> None:
    with pytest.raises(AttributeError, match="'lineItems'"):
        Hold.of(snapshots.hold(), CurrencyCode.EUR).lineItems  # type: ignore[attr-defined]  # noqa: B018


def test_cost_without_page_sizes_is_computed_once_per_document() -> None:
    table = build_cost_table(schema.CORE_SCHEMA)
    text = "mutation($i: HoldTicketsInput!) { holdTickets(input: $i) { ... on HoldTicketsSuccess { hold { id } } } }"
    (cost,) = build_operation_costs(schema.CORE_SCHEMA, parse(text), table).values()
    (root,) = cost.fields
    assert (root.inside, root.own) == ((), cost.evaluate({}))
    paged = parse("query($n: Int) { concerts(first: $n) { nodes { id } } }")
    (cost,) = build_operation_costs(schema.CORE_SCHEMA, paged, table).values()
    assert cost.evaluate({"n": 5}) - cost.evaluate({"n": 2}) == 3
