"""Generates a function for each selection set of an operation, and one step for each field.

The fields are collected by graphql-core, for one choice of the variables that @skip and @include
use, so aliases, fragments and merged fields mean the same as there.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from types import CoroutineType
from typing import Any, TypeAlias

from graphql import (
    FragmentDefinitionNode,
    GraphQLBoolean,
    GraphQLEnumType,
    GraphQLField,
    GraphQLID,
    GraphQLInt,
    GraphQLInterfaceType,
    GraphQLLeafType,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLScalarType,
    GraphQLSchema,
    GraphQLString,
    GraphQLUnionType,
    OperationDefinitionNode,
    OperationType,
    Undefined,
    get_named_type,
    get_nullable_type,
    is_leaf_type,
    is_list_type,
)
from graphql.execution.collect_fields import FragmentDetails, collect_fields, collect_subfields
from graphql.execution.values import VariableValues

from schema.plans.arguments import make_argument_reader
from schema.plans.completion import ObjectClasses, SliceValue, make_completer, write_enum
from schema.plans.plain_classes import PLAIN_CLASSES
from schema.plans.plain_fields import Check, PlainField, get_plain_field
from schema.plans.running import Info, Select, Step, complete_field, fail_field, finish_later, gather_fields
from schema.plans.source import CannotCompile, Source

TypeNameOf: TypeAlias = Callable[[type], str | None]
"""Returns the name of the object type whose objects have this Python class, if there is one."""
Grouped: TypeAlias = dict[str, list[Any]]

MAX_FIELDS = 120
"""The maximum number of fields that a compiled operation selects."""
MAX_STEPS = 240
"""The maximum number of fields in generated code, where a field of an interface or union counts for
each possible type. They take about 20 ms to compile.
"""
_NOTHING = "select_nothing"


def passes(check: Check, source: object, context: object) -> bool:
    """Return whether a check passes. If not, each field of the object repeats it for its error."""
    try:
        return check(source, context)
    except Exception:
        return False


@dataclass
class Selections:
    """Generates the functions of one operation."""

    schema: GraphQLSchema
    operation: OperationDefinitionNode
    fragments: dict[str, FragmentDefinitionNode]
    choices: Mapping[str, bool]
    """The values of the variables that @skip and @include use."""
    type_name_of: TypeNameOf
    steps: int = 0
    """The fields in generated code."""
    source: Source = field(default_factory=Source)
    _functions: int = 0
    _nodes: set[int] = field(default_factory=set)
    """The ids of the nodes of all fields."""
    _classes: list[tuple[ObjectClasses, GraphQLNamedType, dict[str, str]]] = field(default_factory=list)
    """The classes of each position, its type, and the name of the function of each object type."""

    def compile(self) -> list[Select]:
        """Return the functions of the root fields: one for each field of a mutation, and otherwise
        one for all. Raises CannotCompile.
        """
        root = self.schema.get_root_type(self.operation.operation)
        assert root is not None
        grouped = collect_fields(self.schema, self._fragments(), self._values(), root, self.operation).grouped_field_set
        is_serial = self.operation.operation is OperationType.MUTATION
        self.source.line(0, f"def {_NOTHING}(source, run, path): return {{}}")
        parts = [{key: details} for key, details in grouped.items()] if is_serial else [grouped]
        names = [self._add_function(root, part, is_inside_list=False) for part in parts]
        namespace = self.source.run()
        for classes, type_, functions in self._classes:
            found = {type_name: namespace[name] for type_name, name in functions.items()}
            classes.learn = partial(_learn, type_, found, self.type_name_of)
        return [namespace[name] for name in names]

    def _fragments(self) -> dict[str, FragmentDetails]:
        return {name: FragmentDetails(node) for name, node in self.fragments.items()}

    def _values(self) -> VariableValues:
        return VariableValues({}, dict(self.choices))

    def _add_function(self, type_: GraphQLObjectType, grouped: Grouped, *, is_inside_list: bool) -> str:
        """Add the function for these fields, after those of the fields inside. Return its name."""
        if not grouped:
            return _NOTHING
        writer = _SetWriter(self, type_, is_inside_list=is_inside_list)
        lines = [writer.write_field(key, details) for key, details in grouped.items()]
        name = f"select{self._functions}"
        self._functions += 1
        source = self.source
        source.line(0, f"def {name}(source, run, path):")
        source.line(1, "answer = {}; later = []")
        for text in (*writer.write_checks(), *(line for block in lines for line in block)):
            source.line(1, text)
        source.line(1, f"return {source.constant(gather_fields)}(answer, later) if later else answer")
        return name

    def add_classes(self, type_: GraphQLNamedType, details: list[Any], *, is_inside_list: bool) -> ObjectClasses:
        """Add the functions for the objects that a field returns, one for each possible type."""
        possible = [type_] if isinstance(type_, GraphQLObjectType) else self._possible_types(type_)
        functions = {
            one.name: self._add_function(one, self._collect(one, details), is_inside_list=is_inside_list)
            for one in possible
        }
        classes = ObjectClasses(lambda _: None)
        self._classes.append((classes, type_, functions))
        return classes

    def count(self, details: list[Any]) -> None:
        """Count a field. Raises CannotCompile beyond the limits."""
        self.steps += 1
        self._nodes.update(id(one.node) for one in details)
        if self.steps > MAX_STEPS or len(self._nodes) > MAX_FIELDS:
            raise CannotCompile("the operation has too many fields")

    def _possible_types(self, type_: GraphQLNamedType) -> list[GraphQLObjectType]:
        assert isinstance(type_, GraphQLInterfaceType | GraphQLUnionType)
        return self.schema.get_possible_types(type_)

    def _collect(self, type_: GraphQLObjectType, details: list[Any]) -> Grouped:
        found = collect_subfields(self.schema, self._fragments(), self._values(), self.operation, type_, details)
        return found.grouped_field_set


def _learn(
    type_: GraphQLNamedType, functions: Mapping[str, Select], type_name_of: TypeNameOf, class_: type
) -> Select | None:
    """Return the function for the objects of a plain class, or None for graphql-core."""
    if isinstance(type_, GraphQLObjectType) and type_.is_type_of is None:
        return functions[type_.name]
    return functions.get(type_name_of(class_) or "")


@dataclass
class _SetWriter:
    """Writes the lines for the fields of one object type at one position."""

    selections: Selections
    type: GraphQLObjectType
    is_inside_list: bool
    _checks: Counter[Check] = field(default_factory=Counter)

    def write_checks(self) -> list[str]:
        """Return the lines that make each check of several fields once, for all of them."""
        lines = []
        for check, count in self._checks.items():
            if count > 1:
                source = self.selections.source
                name = source.constant(check)
                lines.append(f"passed{name} = {source.constant(passes)}({name}, source, run.context)")
            else:
                lines.append(f"passed{self.selections.source.constant(check)} = False")
        return lines

    def write_field(self, key: str, details: list[Any]) -> list[str]:
        """Return the lines that set the field in the answer. Raises CannotCompile."""
        selections, source = self.selections, self.selections.source
        selections.count(details)
        name = details[0].node.name.value
        if name == "__typename":
            return [f"answer[{source.constant(key)}] = {source.constant(self.type.name)}"]
        definition = self.type.fields.get(name)
        plain = get_plain_field(definition) if definition is not None else None
        if definition is None or plain is None:
            raise CannotCompile("a field has no plain resolver")
        step = Step(key, self.type, definition, details, selections.fragments)
        classes = self._classes(definition, details)
        step.complete = make_completer(step, definition.type, classes, self._slice_value(plain))
        failed = f"value = {source.constant(fail_field)}(run, {source.constant(step)}, error, path, answer, later)"
        return [
            "try:",
            *(f" {line}" for line in self._write_value(step, plain, classes)),
            f"except {source.constant(Exception)} as error: {failed}",
            f"answer[{source.constant(key)}] = value",
        ]

    def _classes(self, definition: GraphQLField, details: list[Any]) -> ObjectClasses | None:
        if is_leaf_type(get_named_type(definition.type)):
            return None
        is_inside_list = self.is_inside_list or _has_list(definition.type)
        return self.selections.add_classes(get_named_type(definition.type), details, is_inside_list=is_inside_list)

    def _slice_value(self, plain: PlainField) -> SliceValue | None:
        slice_list, is_inside_list = plain.slice_list, self.is_inside_list
        if slice_list is None or self.selections.operation.operation is not OperationType.QUERY:
            return None
        return lambda value, context: slice_list(value, context, is_inside_list)

    def _write_value(self, step: Step, plain: PlainField, classes: ObjectClasses | None) -> list[str]:
        """Return the lines that set `value` to what the answer shows, or raise the field's error.

        As in graphql-core, the arguments are read before the right to see the field is checked.
        """
        source = self.selections.source
        completed = f"{source.constant(complete_field)}(run, {source.constant(step)}"
        arguments = make_argument_reader(step.definition, step.nodes[0])
        before = [] if arguments is None else [f"arguments = {source.constant(arguments)}(run)"]
        if plain.resolve is not None:
            info = f"{source.constant(Info)}(run, {source.constant(step)}, path)"
            given = "" if arguments is None else ", **arguments"
            called = f"{source.constant(plain.resolve)}(source, {info}{given})"
            lines = [f"value = {completed}, {called}, path, later)"]
        else:
            assert plain.attribute is not None
            assert plain.attribute.isidentifier()
            lines = [f"value = source.{plain.attribute}", *self._write_completion(step, classes, f"{completed}, value")]
        if plain.check is None:
            return before + lines
        self._checks[plain.check] += 1
        check = source.constant(plain.check)
        return [
            *before,
            f"if passed{check} or {check}(source, run.context):",
            *(f" {line}" for line in lines),
            f"else: value = {completed}, None, path, later)",
        ]

    def _write_completion(self, step: Step, classes: ObjectClasses | None, call: str) -> list[str]:
        """Return the lines that complete `value`, an attribute of the source."""
        source = self.selections.source
        odd = f"value = {call}, path, later)"
        unless_null = " and value is not None" if step.is_nullable else ""
        type_ = get_nullable_type(step.definition.type)
        if is_list_type(type_):
            return [odd]
        if isinstance(type_, GraphQLScalarType | GraphQLEnumType):
            return _write_leaf(source, type_, odd, unless_null)
        here = f"(path, {source.constant(step.key)}, {source.constant(step.parent_type.name)})"
        later = f"{source.constant(finish_later)}(run, {source.constant(step)}, value, path, later)"
        return [
            f"select = {source.constant(classes)}.get(value.__class__)",
            f"if select is None: {odd}",
            "else:",
            f" value = select(value, run, {here})",
            f" if value.__class__ is {source.constant(CoroutineType)}: value = {later}",
        ]


def _write_leaf(source: Source, type_: GraphQLLeafType, odd: str, unless_null: str) -> list[str]:
    """Return the lines that complete a leaf: in place if the value is plain."""
    if type_ is GraphQLString or type_ is GraphQLID:
        return [f"if value.__class__ is not {source.constant(str)}{unless_null}: {odd}"]
    if type_ is GraphQLBoolean:
        return [f"if value.__class__ is not {source.constant(bool)}{unless_null}: {odd}"]
    if type_ is GraphQLInt:
        is_odd = f"(value.__class__ is not {source.constant(int)} or not -2147483648 <= value < 2147483648)"
        return [f"if {is_odd}{unless_null}: {odd}"]
    if isinstance(type_, GraphQLEnumType):
        written = f"{source.constant(write_enum(type_))}.get({source.constant(id)}(value))"
    else:
        is_plain = f"{source.constant(PLAIN_CLASSES)}[value.__class__]"
        written = f"{source.constant(type_.coerce_output_value)}(value) if {is_plain} else None"
    undefined = source.constant(Undefined)
    return [
        f"written = {written}",
        f"if written is not None and written is not {undefined}: value = written",
        f"elif {'value is not None' if unless_null else 'True'}: {odd}",
    ]


def _has_list(type_: GraphQLOutputType) -> bool:
    return is_list_type(get_nullable_type(type_))
