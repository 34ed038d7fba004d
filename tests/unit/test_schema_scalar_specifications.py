"""Each of our own scalars says where its format is specified."""

from graphql import GraphQLScalarType, build_schema, is_specified_scalar_type

import schema

SPECIFICATIONS = {
    "DateTime": "https://www.rfc-editor.org/rfc/rfc3339",
    "Decimal": "https://www.w3.org/TR/xmlschema11-2/#decimal",
    "OffsetDateTime": "https://www.rfc-editor.org/rfc/rfc3339",
    "SafeInt": "https://www.rfc-editor.org/rfc/rfc8259#section-6",
}


def test_sdl_names_the_specification_of_every_scalar() -> None:
    types = build_schema(schema.sdl()).type_map.values()
    scalars = [type_ for type_ in types if isinstance(type_, GraphQLScalarType) and not is_specified_scalar_type(type_)]
    assert {scalar.name: scalar.specified_by_url for scalar in scalars} == SPECIFICATIONS
