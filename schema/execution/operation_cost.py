"""The cost of an operation, computed before any resolver runs.

A tree of each operation's fields is built once per document. It is evaluated with the coerced
variables of each request, because a page size multiplies the cost of the fields inside the page.
The cost is an upper bound: fields with @skip or @include always count.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLField,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLSchema,
    InlineFragmentNode,
    IntValueNode,
    OperationDefinitionNode,
    SelectionSetNode,
    TypeNameMetaFieldDef,
    VariableNode,
    get_named_type,
    is_composite_type,
    is_list_type,
    is_non_null_type,
)

PAGE_SIZE_ARGUMENT = "first"


@dataclass(frozen=True, slots=True)
class CostTable:
    """Costs by `Type.field`. The unit is the time that one plain field takes, about 10 µs."""

    costs: Mapping[str, int]
    """The cost of each field that reads from a store; any other field costs 1."""
    lengths: Mapping[str, int]
    """The expected length of each list that has no page size."""
    default_page_size: int
    max_page_size: int


@dataclass(frozen=True, slots=True)
class PageSize:
    """The argument `first` of a connection: a number, or a variable with its default."""

    number: int | None
    variable: str | None = None

    def evaluate(self, variables: Mapping[str, object], table: CostTable) -> int:
        given = self.number if self.variable is None else variables.get(self.variable, self.number)
        if not isinstance(given, int):
            return table.default_page_size
        # The resolver refuses numbers outside this range. They must not lower the sum.
        return min(max(given, 0), table.max_page_size)


@dataclass(frozen=True, slots=True)
class FieldCost:
    own: int
    length: PageSize | int = 1
    """How many objects the field returns."""
    inside: tuple["FieldCost", ...] = ()

    def evaluate(self, variables: Mapping[str, object], table: CostTable) -> int:
        if not self.inside:
            return self.own
        length = self.length if isinstance(self.length, int) else self.length.evaluate(variables, table)
        return self.own + length * sum(field_cost.evaluate(variables, table) for field_cost in self.inside)


@dataclass(frozen=True, slots=True)
class OperationCost:
    fields: tuple[FieldCost, ...]
    table: CostTable

    def evaluate(self, variables: Mapping[str, object]) -> int:
        return sum(field_cost.evaluate(variables, self.table) for field_cost in self.fields)


def build_operation_costs(
    schema: GraphQLSchema, document: DocumentNode, table: CostTable
) -> Mapping[str | None, OperationCost]:
    """Return the cost of each operation in a valid document, by operation name."""
    fragments = {node.name.value: node for node in document.definitions if isinstance(node, FragmentDefinitionNode)}
    builder = _CostBuilder(schema, table, fragments)
    return {
        node.name.value if node.name else None: OperationCost(builder.build(node), table)
        for node in document.definitions
        if isinstance(node, OperationDefinitionNode)
    }


Composite = GraphQLObjectType | GraphQLInterfaceType


@dataclass(slots=True)
class _CostBuilder:
    schema: GraphQLSchema
    table: CostTable
    fragments: Mapping[str, FragmentDefinitionNode]
    _built: dict[tuple[str, PageSize | None], tuple[FieldCost, ...]] = field(default_factory=dict)

    def build(self, operation: OperationDefinitionNode) -> tuple[FieldCost, ...]:
        root = self.schema.get_root_type(operation.operation)
        return tuple(self._selections(root, operation.selection_set, None))

    def _selections(
        self, parent: object, selections: SelectionSetNode, page_size: PageSize | None
    ) -> Iterator[FieldCost]:
        for node in selections.selections:
            match node:
                case FieldNode():
                    yield self._field(parent, node, page_size)
                case InlineFragmentNode():
                    condition = node.type_condition
                    inner = self.schema.get_type(condition.name.value) if condition else parent
                    yield from self._selections(inner, node.selection_set, page_size)
                case FragmentSpreadNode():
                    yield from self._fragment(node.name.value, page_size)

    def _fragment(self, name: str, page_size: PageSize | None) -> tuple[FieldCost, ...]:
        """Return the fields of a fragment, built once for each enclosing page size."""
        key = name, page_size
        if key not in self._built:
            fragment = self.fragments[name]
            parent = self.schema.get_type(fragment.type_condition.name.value)
            self._built[key] = tuple(self._selections(parent, fragment.selection_set, page_size))
        return self._built[key]

    def _field(self, parent: object, node: FieldNode, page_size: PageSize | None) -> FieldCost:
        definition = self._definition(parent, node.name.value)
        name = f"{parent}.{node.name.value}"
        own = self.table.costs.get(name, 1)
        if node.selection_set is None:
            return FieldCost(own)
        inside = self._selections(get_named_type(definition.type), node.selection_set, _page_size(definition, node))
        return FieldCost(own, self._length(name, definition, page_size), tuple(inside))

    def _length(self, name: str, definition: GraphQLField, page_size: PageSize | None) -> PageSize | int:
        if not is_list_of_objects(definition):
            return 1
        if page_size is not None:
            return page_size
        return self.table.lengths[name]

    def _definition(self, parent: object, name: str) -> GraphQLField:
        if isinstance(parent, Composite):
            found = self.schema.get_field(parent, name)
            if found is not None:
                return found
        # The only field of a union is `__typename`.
        return TypeNameMetaFieldDef


def is_list_of_objects(definition: GraphQLField) -> bool:
    type_ = definition.type.of_type if is_non_null_type(definition.type) else definition.type
    return is_list_type(type_) and is_composite_type(get_named_type(type_))


def _page_size(definition: GraphQLField, node: FieldNode) -> PageSize | None:
    """Return the requested page size of a connection, or None for any other field."""
    if PAGE_SIZE_ARGUMENT not in definition.args:
        return None
    for argument in node.arguments or ():
        if argument.name.value == PAGE_SIZE_ARGUMENT:
            match argument.value:
                case IntValueNode(value=value):
                    return PageSize(int(value))
                case VariableNode(name=name):
                    return PageSize(None, name.value)
    return PageSize(None)
