"""Random values for input types: JSON for variables, and literals for documents."""

import json
from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import Any

from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLScalarType,
    is_list_type,
    is_non_null_type,
    is_required_input_field,
)

_SCALARS: Mapping[str, Callable[[Random], object]] = {
    "Int": lambda random: random.choice([0, 1, 3, 20, 2**31 - 1]),
    "Float": lambda random: random.choice([0.5, 2, -3.25]),
    "Boolean": lambda random: random.random() < 0.5,
    "DateTime": lambda random: random.choice(["2026-12-31T20:00:00Z", "2027-01-02T03:04:05.678+02:00"]),
    "SafeInt": lambda random: random.choice([0, 4950, 2**53 - 1]),
}
TEXTS: Sequence[str] = ("", "a", 'é "quoted" \\ \n', "Q29uY2VydDphYmM", "$x { __typename }")
_WRONG: tuple[object, ...] = (
    None,
    1,
    -1.5,
    2**40,
    "wrong",
    True,
    [],
    {},
    [None],
    {"unknown": 1},
    [[1]],
    "DEFINITELY_NOT",
)


def random_json(random: Random, type_: GraphQLInputType, texts: Sequence[str] = TEXTS) -> Any:
    """Return a value that is right for the type. Its strings and ids are some of the texts."""
    if is_non_null_type(type_):
        return _present(random, type_.of_type, texts)
    return None if random.random() < 0.15 else _present(random, type_, texts)


def _present(random: Random, type_: GraphQLInputType, texts: Sequence[str]) -> Any:
    if is_list_type(type_):
        # A single value is read as a list of one.
        if random.random() < 0.1:
            return _present_item(random, type_, texts)
        return [random_json(random, type_.of_type, texts) for _ in range(random.randrange(4))]
    if isinstance(type_, GraphQLEnumType):
        return random.choice(list(type_.values))
    if isinstance(type_, GraphQLInputObjectType):
        return _object(random, type_, texts)
    assert isinstance(type_, GraphQLScalarType)
    make = _SCALARS.get(type_.name)
    return make(random) if make is not None else random.choice(texts)


def _present_item(random: Random, type_: Any, texts: Sequence[str]) -> Any:
    item = type_.of_type
    return _present(random, item.of_type if is_non_null_type(item) else item, texts)


def _object(random: Random, type_: GraphQLInputObjectType, texts: Sequence[str]) -> dict[str, Any]:
    if type_.is_one_of:
        name, field = random.choice(list(type_.fields.items()))
        return {name: _present(random, field.type, texts)}
    names = list(type_.fields)
    random.shuffle(names)
    return {
        name: random_json(random, type_.fields[name].type, texts)
        for name in names
        if is_required_input_field(type_.fields[name]) or random.random() < 0.5
    }


def spoil(random: Random, value: Any) -> Any:
    """Return the value with one random part replaced by something that is probably wrong."""
    if isinstance(value, dict) and value and random.random() < 0.8:
        name = random.choice(list(value))
        if random.random() < 0.15:
            return {key: inner for key, inner in value.items() if key != name}
        if random.random() < 0.15:
            return {**value, name + random.choice("xs"): 1}
        return {**value, name: spoil(random, value[name])}
    if isinstance(value, list) and value and random.random() < 0.8:
        index = random.randrange(len(value))
        return [*value[:index], spoil(random, value[index]), *value[index + 1 :]]
    return random.choice(_WRONG)


def write_literal(value: Any, type_: GraphQLInputType) -> str:
    """Return a value that is right for the type as a literal in a document."""
    type_ = type_.of_type if is_non_null_type(type_) else type_
    if value is None:
        return "null"
    if is_list_type(type_):
        if not isinstance(value, list):
            return write_literal(value, type_.of_type)
        return f"[{', '.join(write_literal(item, type_.of_type) for item in value)}]"
    if isinstance(type_, GraphQLEnumType):
        return str(value)
    if isinstance(type_, GraphQLInputObjectType):
        fields = [f"{name}: {write_literal(inner, type_.fields[name].type)}" for name, inner in value.items()]
        return f"{{{', '.join(fields)}}}"
    return json.dumps(value, ensure_ascii=False)
