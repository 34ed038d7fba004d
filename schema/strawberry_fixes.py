"""Additions to Strawberry: a typed context, arguments named like builtins, computed fields, faster
reading of inputs, and resolvers without its layers.
"""

from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import MISSING
from inspect import isawaitable
from typing import Annotated, Any, Protocol, TypeAlias, TypeVar, cast

import strawberry
from graphql import (
    FieldNode,
    FragmentSpreadNode,
    GraphQLArgument,
    GraphQLField,
    GraphQLInputField,
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLList,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLUnionType,
    InlineFragmentNode,
    Undefined,
    get_nullable_type,
    is_leaf_type,
)
from strawberry.schema.schema_converter import GraphQLCoreConverter
from strawberry.types.arguments import InputContext, StrawberryArgument, convert_argument
from strawberry.types.base import (
    StrawberryList,
    StrawberryMaybe,
    StrawberryObjectDefinition,
    StrawberryOptional,
    StrawberryType,
)
from strawberry.types.field import StrawberryField

from resolvers.context import Context
from schema.plans.plain_fields import PlainField, all_fields, set_plain_field

Method = TypeVar("Method", bound=Callable[..., object])
Info: TypeAlias = strawberry.Info[Context, None]

# The schema uses the names `id` and `input`, which are builtins in Python.
ID = strawberry.argument(name="id", description="The global id of the object.")
ConcertIdArgument: TypeAlias = Annotated[strawberry.ID, strawberry.argument(description="The id of the concert.")]
INPUT = strawberry.argument(name="input", description="The input of the mutation.")


def computed(
    description: str | None = None, *, name: str | None = None, graphql_type: object | None = None
) -> Callable[[Method], Method]:
    """Turn a method into a field without losing the method's type.

    Strawberry's decorator loses the type if there is a description. `graphql_type` is the type of a
    field whose method returns either a value or an awaitable.
    """
    field = strawberry.field(description=description, name=name, graphql_type=graphql_type)
    return cast("Callable[[Method], Method]", field)


def drop_null_defaults(schema: GraphQLSchema) -> None:
    """Remove the meaningless `= null` that Strawberry adds to every optional input."""
    for input_ in _inputs(schema):
        if input_.default_value is None:
            input_.default_value = Undefined


def mark_one_of_inputs(schema: GraphQLSchema) -> None:
    """Tell graphql-core in which inputs exactly one field must be sent, so that it validates them.
    Strawberry checks this only in its own validation and execution.
    """
    for type_ in schema.type_map.values():
        definition = type_.extensions.get("strawberry-definition")
        if isinstance(type_, GraphQLInputObjectType) and definition is not None:
            type_.is_one_of = definition.is_one_of


def read_inputs_by_plan(schema: GraphQLSchema) -> None:
    """Make Strawberry read each input object by a plan that is built once.

    Otherwise, it finds the names and the types of all fields again for every value that a client
    sends, which takes an eighth of the time of a hold.
    """
    for type_ in schema.type_map.values():
        definition = type_.extensions.get("strawberry-definition")
        if isinstance(type_, GraphQLInputObjectType) and definition is not None:
            definition.from_input = _InputPlan(type_, definition).read


Convert: TypeAlias = Callable[[Any], object]
"""Converts the coerced value of an argument or of a field of an input."""


class _InputPlan:
    """The names and the types of the fields of an input, and the values of absent fields."""

    def __init__(self, type_: GraphQLInputObjectType, definition: StrawberryObjectDefinition) -> None:
        names = {field.extensions["strawberry-definition"].python_name: name for name, field in type_.fields.items()}
        self._type = definition.origin
        self._converters: list[tuple[str, str, Convert]] | None = None
        self._graphql_fields = type_.fields
        self._fields: list[tuple[str, str, StrawberryType | type | None]] = []
        """The GraphQL name, the Python name, and the type of each field, or None if its values
        need no conversion.
        """
        for field in definition.fields:
            name, field_type = names[field.python_name], field.resolve_type(type_definition=definition)
            is_leaf = is_leaf_type(get_nullable_type(type_.fields[name].type))
            needs_conversion = not is_leaf or isinstance(field_type, StrawberryMaybe)
            self._fields.append((name, field.python_name, field_type if needs_conversion else None))
        # Absent fields without a default are null; graphql-core has checked that none is required.
        self._absent = {
            field.python_name: None
            for field in definition.fields
            if field.default_value is MISSING and field.default_factory is MISSING
        }

    def read(self, type_: type, value: Mapping[str, Any], context: InputContext) -> object:
        values: dict[str, object] = {**self._absent}
        for name, python_name, field_type in self._fields:
            if name in value:
                given = value[name]
                values[python_name] = given if field_type is None else context.convert(given, field_type, name)
        return type_(**values)

    def make_converter(self) -> Convert | None:
        """Return the function that reads an input as `read` does, without Strawberry.

        Returns None if a field needs Strawberry.
        """
        if self._converters is None:
            # An input that contains itself needs Strawberry.
            self._converters = []
            found = [
                (name, python_name, make_converter(self._graphql_fields[name].type, field_type))
                for name, python_name, field_type in self._fields
            ]
            self._converters = [(name, python_name, convert) for name, python_name, convert in found if convert]
        return self._convert if len(self._converters) == len(self._fields) else None

    def _convert(self, value: Any) -> object:
        if value is None:
            return None
        values: dict[str, object] = {**self._absent}
        for name, python_name, convert in self._converters or ():
            if name in value:
                given = value[name]
                values[python_name] = given if convert is _keep else convert(given)
        return self._type(**values)


def _keep(value: object) -> object:
    """Convert a value that needs no conversion."""
    return value


def make_converter(type_: GraphQLInputType, python_type: StrawberryType | type | None) -> Convert | None:
    """Return the function that converts coerced values as Strawberry does, or None if only
    Strawberry can. Without a Python type, values need no conversion.
    """
    if isinstance(python_type, StrawberryMaybe):
        return None
    python_type = python_type.of_type if isinstance(python_type, StrawberryOptional) else python_type
    nullable = get_nullable_type(type_)
    if is_leaf_type(nullable):
        return _keep
    if isinstance(nullable, GraphQLList) and isinstance(python_type, StrawberryList):
        convert = make_converter(nullable.of_type, python_type.of_type)
        return convert and (lambda value: None if value is None else [convert(item) for item in value])
    read = getattr(getattr(python_type, "__strawberry_definition__", None), "from_input", None)
    plan = getattr(read, "__self__", None)
    return plan.make_converter() if isinstance(plan, _InputPlan) else None


def _inputs(schema: GraphQLSchema) -> Iterator[GraphQLArgument | GraphQLInputField]:
    for type_ in schema.type_map.values():
        if isinstance(type_, GraphQLInputObjectType):
            yield from type_.fields.values()
        if isinstance(type_, GraphQLObjectType):
            for field in type_.fields.values():
                yield from field.args.values()


def selects(info: Info, names: Collection[str]) -> bool:
    """Return whether a field with one of these names is selected anywhere below this field.

    A field that a directive may skip counts too. Strawberry would convert all selections, with
    their arguments, before their names can be read.
    """
    raw_info = info._raw_info  # noqa: SLF001
    unread = [node.selection_set for node in raw_info.field_nodes]
    while unread:
        selection_set = unread.pop()
        for node in selection_set.selections if selection_set else ():
            match node:
                case FieldNode():
                    if node.name.value in names:
                        return True
                    unread.append(node.selection_set)
                case FragmentSpreadNode():
                    unread.append(raw_info.fragments[node.name.value].selection_set)
                case InlineFragmentNode():
                    unread.append(node.selection_set)
    return False


class UnionErrorHandler(Protocol):
    """Converts the exceptions of one type to objects of an error type."""

    @property
    def exception_type(self) -> type[Exception]: ...

    @property
    def error_type(self) -> type: ...

    def handle(self, exception: Any, *, info: Info) -> object: ...


def add_plain_fields(
    schema: GraphQLSchema, converter: GraphQLCoreConverter, handlers: Sequence[UnionErrorHandler]
) -> None:
    """Give each field a resolver that does what Strawberry's does, without Strawberry's layers."""
    for _, _, field in all_fields(schema):
        definition = field.extensions["strawberry-definition"]
        if definition.is_subscription:
            continue
        plain = (
            PlainField(attribute=definition.python_name)
            if definition.is_basic_field
            else PlainField(resolve=_PlainResolver(field, definition, converter, handlers).resolver)
        )
        set_plain_field(field, plain)


class _ShownInfo(strawberry.Info[Context, None]):
    """The info that a resolver gets. The context is read at once instead of through two layers."""

    context: Any = None

    def __init__(self, raw_info: Any, field: StrawberryField) -> None:
        self._raw_info = raw_info
        self._field = field
        self.context = raw_info.context


class _PlainResolver:
    """The function of a field, its arguments, and the handlers of its errors."""

    def __init__(
        self,
        field: GraphQLField,
        definition: StrawberryField,
        converter: GraphQLCoreConverter,
        handlers: Sequence[UnionErrorHandler],
    ) -> None:
        resolver = definition.base_resolver
        assert resolver is not None
        assert callable(resolver.wrapped_func)
        assert not definition.extensions
        self._call = resolver.wrapped_func
        self._field = definition
        self._converter = converter
        self._takes_self = resolver.self_parameter is not None
        assert resolver.parent_parameter is None
        assert resolver.root_parameter is None
        self._info_name = resolver.info_parameter.name if resolver.info_parameter else None
        self._arguments = list(self._find_arguments(field))
        self._handlers = [handler for handler in handlers if _returns(field, handler.error_type)]

    @property
    def resolver(self) -> Callable[..., Any]:
        is_plain = not self._handlers and all(convert is None for _, _, convert in self._arguments)
        if self._field.is_async:
            # An async function without conversions raises nothing before it is awaited.
            return self._resolve if is_plain else self._resolve_later
        return self._resolve if is_plain else self._resolve_handled

    def _find_arguments(self, field: GraphQLField) -> Iterator[tuple[str, str, Convert | None]]:
        """Yield the GraphQL name and the Python name of each argument, and the function that
        converts its values, or None if they need no conversion.
        """
        for argument in self._field.arguments:
            name = self._converter.config.name_converter.from_argument(argument)
            convert = make_converter(field.args[name].type, argument.type)
            if convert is None:
                convert = self._strawberry_converter(argument)
            elif is_leaf_type(get_nullable_type(field.args[name].type)):
                convert = None
            yield name, argument.python_name, convert

    def _strawberry_converter(self, argument: StrawberryArgument) -> Convert:
        registry, config = self._converter.scalar_registry, self._converter.config
        return lambda value: convert_argument(value, argument.type, registry, config)

    def _resolve(self, source: object, info: Any, **given: Any) -> Any:
        return self._call_with(source, info, given)

    def _call_with(self, source: object, info: Any, given: dict[str, Any]) -> Any:
        values: dict[str, Any] = {}
        for name, python_name, convert in self._arguments:
            if name in given:
                values[python_name] = given[name] if convert is None else convert(given[name])
        if self._info_name is not None:
            values[self._info_name] = _ShownInfo(info, self._field)
        return self._call(source, **values) if self._takes_self else self._call(**values)

    async def _resolve_later(self, source: object, info: Any, **given: Any) -> Any:
        try:
            return await self._call_with(source, info, given)
        except Exception as error:
            return self._handle(error, info)

    def _resolve_handled(self, source: object, info: Any, **given: Any) -> Any:
        try:
            found = self._call_with(source, info, given)
        except Exception as error:
            return self._handle(error, info)
        return self._await_handled(found, info) if isawaitable(found) else found

    async def _await_handled(self, found: Awaitable[Any], info: Any) -> Any:
        try:
            return await found
        except Exception as error:
            return self._handle(error, info)

    def _handle(self, error: Exception, info: Any) -> object:
        """Return the object that represents the error. Raises the error if it has no handler."""
        for handler in self._handlers:
            if isinstance(error, handler.exception_type):
                return handler.handle(error, info=strawberry.Info(_raw_info=info, _field=self._field))
        raise error


def _returns(field: GraphQLField, error_type: type) -> bool:
    """Return whether the field returns a union that contains the error type."""
    union = get_nullable_type(field.type)
    name = error_type.__strawberry_definition__.name  # type: ignore[attr-defined]
    return isinstance(union, GraphQLUnionType) and any(member.name == name for member in union.types)


def object_type_of(class_: type) -> str | None:
    """Return the name of the object type that Strawberry finds for objects of a Python class, or
    None if that depends on the object.
    """
    definition = getattr(class_, "__strawberry_definition__", None)
    if definition is None or definition.is_interface or definition.is_input or definition.is_graphql_generic:
        return None
    return str(definition.name)
