"""The committed SDL is up to date, and its types follow our conventions."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from graphql import (
    GraphQLField,
    GraphQLInterfaceType,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLUnionType,
    build_schema,
)

import schema

ROOT = Path(__file__).parents[2]
COMMITTED = ROOT / "schema" / "schema.graphql"


@pytest.fixture(scope="module")
def built() -> GraphQLSchema:
    return build_schema(schema.sdl())


def test_committed_sdl_is_up_to_date() -> None:
    assert COMMITTED.read_text() == schema.sdl(), "run `make schema`, and write a decision record for a breaking change"


def test_schema_module_prints_the_sdl() -> None:
    printed = subprocess.run([sys.executable, "-m", "schema"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert printed.stdout == schema.sdl()


def test_every_mutation_returns_a_union_of_one_success_and_errors(built: GraphQLSchema) -> None:
    assert built.mutation_type is not None
    for name, field in built.mutation_type.fields.items():
        verb = name[0].upper() + name[1:]
        assert str(field.type) == f"{verb}Result!"
        union = built.type_map[f"{verb}Result"]
        assert isinstance(union, GraphQLUnionType)
        success, *errors = map(str, union.types)
        assert success == f"{verb}Success"
        assert all(error.endswith("Error") for error in errors)
        assert {"InvalidInputError", "TemporarilyUnavailableError"} <= set(errors)
        (argument,) = field.args.values()
        assert str(argument.type) == f"{verb}Input!"


def test_list_fields_are_non_null_unless_they_can_be_refused(built: GraphQLSchema) -> None:
    may_be_refused = {"Viewer.holds", "Viewer.queueEntries", "Concert.gatePeople", "Concert.problems"}
    may_be_refused |= {"ConcertSales.overTime", "ConcertSales.queueOverTime"}
    for type_name, field_name, field in _output_fields(built):
        if "[" in str(field.type):
            assert "!]" in str(field.type), f"{type_name}.{field_name}"
            is_required = isinstance(field.type, GraphQLNonNull)
            assert is_required is (f"{type_name}.{field_name}" not in may_be_refused)


def test_every_connection_has_edges_and_nodes(built: GraphQLSchema) -> None:
    connections = [type_ for name, type_ in built.type_map.items() if name.endswith("Connection")]
    assert [type_.name for type_ in connections] == [
        *("ConcertConnection", "OrderConnection", "OrderExportConnection", "RoomAuditConnection"),
        "TicketConnection",
    ]
    for connection in connections:
        assert isinstance(connection, GraphQLObjectType)
        assert list(connection.fields)[:3] == ["edges", "nodes", "pageInfo"]


def _output_fields(built: GraphQLSchema) -> Iterator[tuple[str, str, GraphQLField]]:
    for name, type_ in built.type_map.items():
        if isinstance(type_, GraphQLObjectType | GraphQLInterfaceType) and not name.startswith("__"):
            for field_name, field in type_.fields.items():
                yield name, field_name, field
