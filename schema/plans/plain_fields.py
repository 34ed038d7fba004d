"""The plain resolver of each field, which plans call instead of the one of graphql-core.

It is kept in the extensions of the field, without the layers of the library that built the schema.
What the schema puts around a resolver is put around both.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

from graphql import GraphQLField, GraphQLSchema, is_introspection_type, is_object_type

Resolve: TypeAlias = Callable[..., Any]
"""Called with the source, an info object, and the arguments by their GraphQL names."""
Check: TypeAlias = Callable[[Any, Any], bool]
"""Called with the source and the context. Raises if the field is refused; False makes it null."""
SliceList: TypeAlias = Callable[[Any, Any, bool], Any]
"""Called with the value of a list field, the context, and whether the field is inside a list."""

_KEY = "plain-field"


@dataclass(slots=True)
class PlainField:
    attribute: str | None = None
    """The attribute of the source that is the value of the field, if it has no resolver."""
    resolve: Resolve | None = None
    check: Check | None = None
    """The right to see the field, checked before it is read."""
    slice_list: SliceList | None = None
    """Applied to the value of the field in queries."""


def set_plain_field(field: GraphQLField, plain: PlainField) -> None:
    field.extensions = {**field.extensions, _KEY: plain}


def get_plain_field(field: GraphQLField) -> PlainField | None:
    """Return None for a field that only graphql-core can resolve."""
    return field.extensions.get(_KEY)


def wrap_resolvers(field: GraphQLField, wrap: Callable[[Resolve], Resolve]) -> None:
    """Put the same wrapper around both resolvers of a field."""
    assert field.resolve is not None
    field.resolve = wrap(field.resolve)
    plain = get_plain_field(field)
    if plain is not None and plain.resolve is not None:
        plain.resolve = wrap(plain.resolve)


def add_check(field: GraphQLField, check: Check) -> None:
    """Add a check to a field, which runs before those that were added earlier."""
    plain = get_plain_field(field)
    if plain is not None:
        earlier = plain.check
        plain.check = (
            check if earlier is None else lambda source, context: check(source, context) and earlier(source, context)
        )


def all_fields(schema: GraphQLSchema) -> list[tuple[str, str, GraphQLField]]:
    """Return the type name, the name and the definition of each field of an object type."""
    return [
        (type_.name, name, field)
        for type_ in schema.type_map.values()
        if is_object_type(type_) and not is_introspection_type(type_)
        for name, field in type_.fields.items()
    ]
