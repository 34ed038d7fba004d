"""Variables: generated functions that coerce those which are plainly right.

Any other value is left to graphql-core, which also writes the error. A value is coerced to the same
Python objects as by graphql-core.
"""

from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass
from math import inf, isfinite
from typing import Any, TypeAlias

from graphql import (
    GraphQLBoolean,
    GraphQLEnumType,
    GraphQLError,
    GraphQLFloat,
    GraphQLID,
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLInt,
    GraphQLNamedInputType,
    GraphQLScalarType,
    GraphQLSchema,
    GraphQLString,
    OperationDefinitionNode,
    Undefined,
    is_enum_type,
    is_list_type,
    is_non_null_type,
    is_required_input_field,
    is_specified_scalar_type,
)
from graphql.execution.get_variable_signature import get_variable_signature
from graphql.utilities.coerce_input_value import coerce_default_value

from schema.plans.source import CannotCompile, Source

CoerceVariables: TypeAlias = Callable[[Mapping[str, object]], dict[str, Any]]
"""Returns the coerced variables, in the order of their declaration. Raises OddVariables."""


class OddVariables(Exception):
    """A value that is not plainly right. Graphql-core decides whether it is wrong."""


@dataclass(frozen=True, slots=True)
class InputBounds:
    """Bounds for variables. `accept` returns whether the variables of a request are within them."""

    max_items: int
    """The maximum number of items in a list."""
    max_keys: int
    max_key_characters: int
    max_values: int
    """The maximum number of values in all variables together."""
    accept: Callable[[Mapping[str, object]], bool]


@dataclass(frozen=True, slots=True)
class CompiledVariables:
    coerce: CoerceVariables
    bounded_names: frozenset[str] | None
    """The names of the variables, if values of their types never exceed a bound."""
    size: int
    """The memory that the function takes, in bytes."""


class InputCoercers:
    """The generated function for each input object type of a schema. Plans share them."""

    def __init__(self, bounds: InputBounds) -> None:
        self._bounds = bounds
        self._made: dict[GraphQLInputObjectType, Callable[[Any], Any]] = {}
        self._in_progress: set[GraphQLInputObjectType] = set()

    def make_variables(self, schema: GraphQLSchema, operation: OperationDefinitionNode) -> CompiledVariables:
        """Return the function for the variables of an operation. Raises CannotCompile."""
        source, types = Source(), {}
        source.line(0, "def coerce(values):")
        source.line(1, "coerced = {}")
        for node in operation.variable_definitions or ():
            signature = get_variable_signature(schema, node)
            if isinstance(signature, GraphQLError):
                raise CannotCompile("a variable has an unknown type")
            types[signature.name] = signature.type
            name = source.constant(signature.name)
            source.line(1, f"value = values.get({name}, {source.constant(Undefined)})")
            source.line(1, f"if value is {source.constant(Undefined)}:")
            default = coerce_default_value(signature) if node.default_value else Undefined
            if node.default_value or not is_non_null_type(signature.type):
                self._add_default(source, default, name)
            else:
                source.line(2, f"raise {source.constant(OddVariables)}")
            source.line(1, "else:")
            self._add(source, 2, signature.type)
            source.line(2, f"coerced[{name}] = value")
        source.line(1, "return coerced")
        coerce: CoerceVariables = source.compile("coerce")
        return CompiledVariables(coerce, frozenset(types) if self._is_bounded(types) else None, source.size)

    def _is_bounded(self, types: Mapping[str, GraphQLInputType]) -> bool:
        """Return whether values of these types, by the names of variables, never exceed a bound
        after they were coerced. An input object then has only the keys of its type.
        """
        bounds = self._bounds
        has_short_names = max(map(len, types), default=0) <= bounds.max_key_characters
        most = len(types) + sum(map(self._count_most_values, types.values()))
        return has_short_names and len(types) <= bounds.max_keys and most <= bounds.max_values

    def _count_most_values(self, type_: GraphQLInputType) -> float:
        """Return the largest number of values inside a value of a type."""
        if is_non_null_type(type_):
            return self._count_most_values(type_.of_type)
        if is_list_type(type_):
            return self._bounds.max_items * (1 + self._count_most_values(type_.of_type))
        if isinstance(type_, GraphQLInputObjectType):
            # An input that contains itself is not compiled.
            inside = sum(self._count_most_values(field.type) for field in type_.fields.values())
            return inf if len(type_.fields) > self._bounds.max_keys else len(type_.fields) + inside
        # Another scalar may accept an object.
        assert isinstance(type_, GraphQLScalarType | GraphQLEnumType)
        return 0 if is_enum_type(type_) or is_specified_scalar_type(type_) else inf

    @staticmethod
    def _add_default(source: Source, default: object, name: str) -> None:
        if default is Undefined:
            source.line(2, "pass")
        elif isinstance(default, dict | list):
            source.line(2, f"coerced[{name}] = {source.constant(deepcopy)}({source.constant(default)})")
        else:
            source.line(2, f"coerced[{name}] = {source.constant(default)}")

    def _add(self, source: Source, depth: int, type_: GraphQLInputType) -> None:
        """Add the lines that coerce `value` or raise OddVariables."""
        odd = f"raise {source.constant(OddVariables)}"
        if is_non_null_type(type_):
            source.line(depth, f"if value is None: {odd}")
            self._add(source, depth, type_.of_type)
            return
        if is_list_type(type_):
            item = self._make_item(source, type_.of_type)
            is_short_list = f"value.__class__ is list and len(value) <= {self._bounds.max_items}"
            source.line(depth, f"if {is_short_list}: value = [{source.constant(item)}(one) for one in value]")
            source.line(depth, f"elif value is not None: {odd}")
            return
        assert isinstance(type_, GraphQLScalarType | GraphQLEnumType | GraphQLInputObjectType)
        class_ = _PLAIN_CLASSES.get(type_)
        if class_ is not None:
            source.line(depth, f"if value.__class__ is not {source.constant(class_)} and value is not None: {odd}")
            return
        source.line(depth, f"if value is not None: value = {source.constant(self._make_named(type_))}(value)")

    def _make_item(self, caller: Source, type_: GraphQLInputType) -> Callable[[Any], Any]:
        source = Source()
        source.line(0, "def coerce(value):")
        self._add(source, 1, type_)
        source.line(1, "return value")
        caller.include(source)
        coerce: Callable[[Any], Any] = source.compile("coerce")
        return coerce

    def _make_named(self, type_: GraphQLNamedInputType) -> Callable[[Any], Any]:
        """Return the function that coerces a value that is not null."""
        if not isinstance(type_, GraphQLInputObjectType):
            return _make_leaf(type_)
        if type_ not in self._made:
            if type_ in self._in_progress:
                raise CannotCompile("an input contains itself")
            self._in_progress.add(type_)
            try:
                self._made[type_] = self._make_object(type_)
            finally:
                self._in_progress.discard(type_)
        return self._made[type_]

    def _make_object(self, type_: GraphQLInputObjectType) -> Callable[[Any], Any]:
        source = Source()
        odd, undefined = f"raise {source.constant(OddVariables)}", source.constant(Undefined)
        source.line(0, "def coerce(values):")
        source.line(1, f"if values.__class__ is not dict: {odd}")
        source.line(1, "coerced = {}; known = 0")
        for name, field in type_.fields.items():
            key, out_name = source.constant(name), source.constant(field.out_name or name)
            source.line(1, f"value = values.get({key}, {undefined})")
            source.line(1, f"if value is {undefined}:")
            if is_required_input_field(field):
                source.line(2, odd)
            else:
                self._add_default(source, coerce_default_value(field), out_name)
            source.line(1, "else:")
            source.line(2, "known += 1")
            self._add(source, 2, field.type)
            source.line(2, f"coerced[{out_name}] = value")
        source.line(1, f"if known != len(values): {odd}")
        if type_.is_one_of:
            source.line(1, f"if known != 1 or len(coerced) != 1 or None in coerced.values(): {odd}")
        # By default, the coerced dict is the value.
        is_dict = type_.out_type is GraphQLInputObjectType.out_type
        source.line(1, "return coerced" if is_dict else f"return {source.constant(type_.out_type)}(coerced)")
        coerce: Callable[[Any], Any] = source.compile("coerce")
        return coerce


def _make_leaf(type_: GraphQLScalarType | GraphQLEnumType) -> Callable[[Any], Any]:
    """Return the function that coerces a value of a scalar or an enum that is not null."""
    is_plain = _PLAIN_VALUES.get(type_)
    coerce_input_value = type_.coerce_input_value

    def coerce(value: Any) -> Any:
        if is_plain is not None:
            if is_plain(value):
                return value
            raise OddVariables
        try:
            coerced = coerce_input_value(value)
        except Exception:
            raise OddVariables from None
        if coerced is Undefined:
            raise OddVariables
        return coerced

    return coerce


_PLAIN_CLASSES: Mapping[object, type] = {GraphQLString: str, GraphQLID: str, GraphQLBoolean: bool}
"""The class of the values of a built-in scalar that stay as they are."""
_PLAIN_VALUES: Mapping[object, Callable[[Any], bool]] = {
    GraphQLInt: lambda value: value.__class__ is int and -(2**31) <= value < 2**31,
    GraphQLFloat: lambda value: value.__class__ is float and isfinite(value),
}
"""Whether a value of another built-in scalar stays as it is."""
