"""Documents that select every field below a root field, and the fields that an answer shows."""

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from graphql import (
    GraphQLField,
    GraphQLInterfaceType,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLUnionType,
    get_named_type,
)

from schema.execution.pushed_fields import is_shown
from tests.support.shop import Answer


@dataclass
class Selection:
    """The selected fields of one type, each with the selections of its possible types."""

    type_name: str
    fields: dict[str, list["Selection"]] = field(default_factory=dict)


def _text(selections: list[Selection]) -> str:
    fragments = [f"... on {selection.type_name} {{ {_fields(selection)} }}" for selection in selections]
    return " ".join(["__typename", *(fragment for fragment in fragments if not fragment.endswith("{  }"))])


def _fields(selection: Selection) -> str:
    return " ".join(f"{name} {{ {_text(inner)} }}" if inner else name for name, inner in selection.fields.items())


def select_fully(
    schema: GraphQLSchema, found: GraphQLField, *, only: str | None = None, subscription: str | None = None
) -> list[Selection]:
    """Return the selections of the field's type, or of `only` if the type is abstract.

    Each type is fully selected once, nearest to the root; elsewhere, only `__typename` is selected.
    Below a subscription, only the fields that its pushes show are selected.
    """
    selections = _of_type(schema, found, only)
    waiting, done = deque(selections), set[str]()
    while waiting:
        selection = waiting.popleft()
        type_ = schema.type_map[selection.type_name]
        assert isinstance(type_, GraphQLObjectType)
        if type_.name in done:
            continue
        done.add(type_.name)
        for name, inner in type_.fields.items():
            if subscription is not None and not is_shown(subscription, f"{type_.name}.{name}"):
                continue
            assert not any(isinstance(argument.type, GraphQLNonNull) for argument in inner.args.values()), name
            selection.fields[name] = _of_type(schema, inner)
            waiting.extend(selection.fields[name])
    return selections


def _of_type(schema: GraphQLSchema, found: GraphQLField, only: str | None = None) -> list[Selection]:
    type_ = get_named_type(found.type)
    if isinstance(type_, GraphQLInterfaceType | GraphQLUnionType):
        return [Selection(one.name) for one in schema.get_possible_types(type_) if only in (None, one.name)]
    return [Selection(type_.name)] if isinstance(type_, GraphQLObjectType) else []


def document_of(schema: GraphQLSchema, kind: str, name: str, *, only: str | None = None) -> tuple[str, list[Selection]]:
    """Return a document that selects all fields below a root field, and its selections.

    The document's variables are the arguments of the field.
    """
    root = {"query": schema.query_type, "mutation": schema.mutation_type, "subscription": schema.subscription_type}
    type_ = root[kind]
    assert type_ is not None
    found = type_.fields[name]
    argument_types = {argument: str(one.type) for argument, one in found.args.items()}
    variables = ", ".join(f"${argument}: {type_}" for argument, type_ in argument_types.items())
    arguments = ", ".join(f"{argument}: ${argument}" for argument in argument_types)
    selections = select_fully(schema, found, only=only, subscription=name if kind == "subscription" else None)
    head = f"{kind} ({variables}) {{ {name}({arguments})" if argument_types else f"{kind} {{ {name}"
    return f"{head} {{ {_text(selections)} }} }}" if selections else f"{head} }}", selections


def shown_fields(answer: Answer, name: str, selections: list[Selection]) -> set[str]:
    """Return the coordinates of the fields, null or not, that the answer shows without an error."""
    refused = {".".join(str(part) for part in error.get("path", ())) for error in answer.get("errors", ())}
    return set(_shown((answer.get("data") or {}).get(name), selections, name, refused))


def _shown(value: object, selections: list[Selection], path: str, refused: set[str]) -> Iterator[str]:
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from _shown(item, selections, f"{path}.{index}", refused)
    elif isinstance(value, Mapping):
        for selection in selections:
            if value["__typename"] == selection.type_name:
                yield from _shown_of_type(value, selection, path, refused)


def _shown_of_type(value: Mapping[str, object], selection: Selection, path: str, refused: set[str]) -> Iterator[str]:
    for name, inner in selection.fields.items():
        if f"{path}.{name}" not in refused:
            yield f"{selection.type_name}.{name}"
            yield from _shown(value[name], inner, f"{path}.{name}", refused)
