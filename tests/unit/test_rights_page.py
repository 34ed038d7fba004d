"""docs/rights.md has a row for every field, with the permission in the code."""

from graphql import GraphQLObjectType

import schema
from schema.ids import Kind
from schema.mutations.result_errors import ERROR_TYPES
from schema.permissions import NODE_PERMISSIONS, PERMISSIONS
from tests.support.rights_page import read_root_rows, read_type_rows

ROOT_ROWS = read_root_rows()
TYPE_ROWS = read_type_rows()
KINDS = {
    "hold": Kind.HOLD,
    "order": Kind.ORDER,
    "entry": Kind.QUEUE_ENTRY,
    "ticket": Kind.TICKET,
    "customer": Kind.VIEWER,
}
"""The kinds whose `Query.node` rows name a different permission from the field itself."""


def test_each_root_field_has_a_row() -> None:
    roots = (schema.CORE_SCHEMA.query_type, schema.CORE_SCHEMA.mutation_type, schema.CORE_SCHEMA.subscription_type)
    fields = {f"{root}.{name}" for root in roots if root for name in root.fields}
    assert {row.field for row in ROOT_ROWS} == fields


def test_each_object_field_has_a_row() -> None:
    ignored = {*(error.__name__ for error in ERROR_TYPES.values()), "InputProblem", "Query", "Mutation", "Subscription"}
    fields = [
        f"{type_.name}.{name}"
        for type_ in schema.CORE_SCHEMA.type_map.values()
        if isinstance(type_, GraphQLObjectType) and not type_.name.startswith("__")
        if type_.name not in ignored and not type_.name.endswith("Success")
        for name in type_.fields
    ]
    assert sorted(name for row in TYPE_ROWS for name in row.fields) == sorted(fields)


def test_each_row_names_the_permission_in_the_code() -> None:
    for row in ROOT_ROWS:
        kind = KINDS.get(row.object.split()[-1]) if row.field == "Query.node" else None
        permission = NODE_PERMISSIONS[kind] if kind else PERMISSIONS[row.field]
        assert row.permission == permission.value, row.id
    for types in TYPE_ROWS:
        for name in types.fields:
            found = PERMISSIONS.get(name, PERMISSIONS.get(f"{name.partition('.')[0]}.*"))
            assert types.permission == (found.value if found else "as the field that returns it"), name
