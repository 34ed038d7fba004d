"""Random operations on a schema, with aliases, fragments, directives, arguments and variables."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

from graphql import (
    GraphQLArgument,
    GraphQLField,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLSchema,
    get_named_type,
    is_abstract_type,
    is_composite_type,
    is_non_null_type,
    is_required_argument,
)

from proofs.plans.random_values import TEXTS, random_json, spoil, write_literal

MAX_ROOTS = 3
MAX_FIELDS = 60
_SPOILED = 0.2
"""The share of operations with a wrong variable."""


@dataclass(frozen=True)
class RandomOperation:
    text: str
    variables: dict[str, Any]
    """As a client might send them: some are missing, some are wrong."""


def random_operation(
    random: Random,
    schema: GraphQLSchema,
    kind: str,
    *,
    texts: Sequence[str] = TEXTS,
    roots: Collection[str] | None = None,
) -> RandomOperation:
    """Return an operation with these texts as arguments, and with these root fields if given.

    It may be invalid, because two selected fields can conflict.
    """
    return _Writer(random, schema, kind, texts, roots).write()


@dataclass
class _Writer:
    random: Random
    schema: GraphQLSchema
    kind: str
    texts: Sequence[str]
    roots: Collection[str] | None
    variables: dict[str, Any] = field(default_factory=dict)
    declared: list[str] = field(default_factory=list)
    fragments: dict[str, tuple[str, str]] = field(default_factory=dict)
    """The type condition and the text of each named fragment."""
    fields: int = 0

    def write(self) -> RandomOperation:
        type_ = getattr(self.schema, f"{self.kind}_type")
        depth = self.random.randrange(1, 5)
        if self.kind == "subscription":
            selection = f"{{ {self._field(type_, depth, may_skip=False)} }}"
        else:
            count = self.random.randrange(1, MAX_ROOTS + 1)
            selection = f"{{ {' '.join(self._field(type_, depth) for _ in range(count))} }}"
        declared = f"({', '.join(self.declared)})" if self.declared else ""
        fragments = [f"fragment {name} on {on} {text}" for name, (on, text) in self.fragments.items()]
        text = "\n".join([f"{self.kind} Random{declared} {selection}", *fragments])
        variables = dict(self.variables)
        if variables and self.random.random() < _SPOILED:
            name = self.random.choice(list(variables))
            variables[name] = spoil(self.random, variables[name])
        return RandomOperation(text, variables)

    def _selections(self, type_: GraphQLNamedType, depth: int) -> str:
        parts = []
        for _ in range(self.random.randrange(1, 6)):
            kind = self.random.random()
            if kind < 0.1:
                parts.append("__typename" + self._directives())
            elif kind < 0.2 and depth > 0:
                parts.append(self._inline_fragment(type_, depth))
            elif kind < 0.28 and depth > 0:
                parts.append(self._spread(type_, depth))
            elif isinstance(type_, GraphQLObjectType) or hasattr(type_, "fields"):
                parts.append(self._field(type_, depth))
            else:
                parts.append(self._inline_fragment(type_, depth))
        return f"{{ {' '.join(parts)} }}"

    def _field(self, type_: Any, depth: int, *, may_skip: bool = True) -> str:
        names = [name for name, one in type_.fields.items() if depth > 0 or not _is_composite(one)]
        if self.roots is not None and type_ in (self.schema.query_type, self.schema.mutation_type):
            names = [name for name in names if name in self.roots]
        if not names or self.fields > MAX_FIELDS:
            return "__typename"
        self.fields += 1
        name = self.random.choice(names)
        definition = type_.fields[name]
        alias = f"{self.random.choice(['a', 'b', '_c', name])}: " if self.random.random() < 0.2 else ""
        inner = get_named_type(definition.type)
        selections = f" {self._selections(inner, depth - 1)}" if is_composite_type(inner) else ""
        directives = self._directives() if may_skip else ""
        return f"{alias}{name}{self._arguments(definition)}{directives}{selections}"

    def _possible(self, type_: Any) -> Any:
        """Return a type for a fragment: the type itself, a member, or an interface of it."""
        if is_abstract_type(type_):
            return self.random.choice([*self.schema.get_possible_types(type_), *getattr(type_, "interfaces", ())])
        return self.random.choice([type_, *type_.interfaces])

    def _inline_fragment(self, type_: Any, depth: int) -> str:
        if self.random.random() < 0.2 and not is_abstract_type(type_):
            return f"...{self._directives()} {self._selections(type_, depth - 1)}"
        on = self._possible(type_)
        return f"... on {on}{self._directives()} {self._selections(on, depth - 1)}"

    def _spread(self, type_: Any, depth: int) -> str:
        on = self._possible(type_)
        known = [name for name, (other, _) in self.fragments.items() if other == str(on)]
        if known and self.random.random() < 0.5:
            name = self.random.choice(known)
        else:
            text = self._selections(on, depth - 1)
            name = f"f{len(self.fragments)}"
            self.fragments[name] = (str(on), text)
        return f"...{name}{self._directives()}"

    def _directives(self) -> str:
        found = ""
        for name in ("skip", "include"):
            if self.random.random() < 0.06:
                value = "$flag" if self.random.random() < 0.7 else self.random.choice(["true", "false"])
                found += f" @{name}(if: {value})"
        if "$flag" in found and "flag" not in self.variables:
            self.declared.append(self.random.choice(["$flag: Boolean!", "$flag: Boolean! = true"]))
            self.variables["flag"] = self.random.random() < 0.5
        return found

    def _arguments(self, definition: GraphQLField) -> str:
        given = [
            f"{name}: {self._argument(argument)}"
            for name, argument in definition.args.items()
            if is_required_argument(argument) or self.random.random() < 0.4
        ]
        return f"({', '.join(given)})" if given else ""

    def _argument(self, argument: GraphQLArgument) -> str:
        value = random_json(self.random, argument.type, self.texts)
        if self.random.random() < 0.3:
            return write_literal(value, argument.type)
        name = f"v{len(self.variables)}"
        nullable = argument.type.of_type if is_non_null_type(argument.type) else argument.type
        default = random_json(self.random, nullable, self.texts) if self.random.random() < 0.3 else None
        if default is not None:
            # With a default, a variable may be nullable where the argument is not, and then null.
            value = None if self.random.random() < 0.2 else value
            self.declared.append(f"${name}: {nullable} = {write_literal(default, nullable)}")
        else:
            self.declared.append(f"${name}: {argument.type}")
        self.variables[name] = value
        if self.random.random() < 0.15:
            # Without a value, the default or null applies, or graphql-core reports an error.
            del self.variables[name]
            self.variables[f"unknown{len(self.variables)}"] = 1
        return f"${name}"


def _is_composite(definition: GraphQLField) -> bool:
    return is_composite_type(get_named_type(definition.type))
