"""Every element of the schema has a description in plain words."""

import re
from collections.abc import Iterator
from pathlib import Path

from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLObjectType,
    build_schema,
    is_specified_scalar_type,
)

SCHEMA = build_schema((Path(__file__).parents[2] / "schema" / "schema.graphql").read_text())
FORBIDDEN_WORDS = re.compile(r"\b(in line|catalogue|organiser)\b", re.IGNORECASE)
FORBIDDEN_OPENINGS = ("Of ", "Who ", "As many as ")


def _descriptions() -> Iterator[tuple[str, str]]:
    """Yield the coordinate and the description of each element; a missing description is empty."""
    for type_ in SCHEMA.type_map.values():
        if type_.name.startswith("__") or is_specified_scalar_type(type_):
            continue
        yield type_.name, type_.description or ""
        if isinstance(type_, GraphQLEnumType):
            yield from ((f"{type_.name}.{name}", value.description or "") for name, value in type_.values.items())
        if isinstance(type_, GraphQLInputObjectType):
            yield from ((f"{type_.name}.{name}", field.description or "") for name, field in type_.fields.items())
        if isinstance(type_, GraphQLObjectType | GraphQLInterfaceType):
            for name, field in type_.fields.items():
                yield f"{type_.name}.{name}", field.description or ""
                for argument, value in field.args.items():
                    yield f"{type_.name}.{name}({argument}:)", value.description or ""


def test_every_schema_element_has_a_description() -> None:
    assert [coordinate for coordinate, text in _descriptions() if not text] == []


def test_descriptions_use_plain_words() -> None:
    assert [(name, text) for name, text in _descriptions() if FORBIDDEN_WORDS.search(text)] == []


def test_descriptions_are_sentences() -> None:
    """Each begins with a capital letter or a name in backticks and ends with a period."""
    for name, text in _descriptions():
        assert re.match(r"[A-Z0-9`]", text), (name, text)
        assert text.endswith("."), (name, text)
        assert not text.startswith(FORBIDDEN_OPENINGS), (name, text)
