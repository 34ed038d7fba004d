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

PAGE_SIZE_ARGUMENTS = ("first", "last")


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
    """The arguments `first` and `last` of a connection: numbers, or names of variables."""

    given: tuple[int | str, ...] = ()

    def evaluate(self, variables: Mapping[str, object], table: CostTable) -> int:
        sizes = (variables.get(one) if isinstance(one, str) else one for one in self.given)
        # The resolver refuses two sizes, and sizes outside this range. They must not lower the sum.
        found = [min(max(size, 0), table.max_page_size) for size in sizes if isinstance(size, int)]
        return max(found, default=table.default_page_size)


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

    def folded(self, table: CostTable) -> "FieldCost":
        """Return the same cost as one number, unless a variable may change it."""
        is_fixed = isinstance(self.length, int) and not any(field_cost.inside for field_cost in self.inside)
        return FieldCost(self.evaluate({}, table)) if is_fixed else self


@dataclass(frozen=True, slots=True)
class OperationCost:
    fields: tuple[FieldCost, ...]
    table: CostTable
    fixed: int | None = None
    """The cost, unless a variable may change it."""

    @classmethod
    def of(cls, fields: tuple[FieldCost, ...], table: CostTable) -> "OperationCost":
        is_fixed = not any(field_cost.inside for field_cost in fields)
        return cls(fields, table, sum(field_cost.own for field_cost in fields) if is_fixed else None)

    def evaluate(self, variables: Mapping[str, object]) -> int:
        if self.fixed is not None:
            return self.fixed
        return sum(field_cost.evaluate(variables, self.table) for field_cost in self.fields)


def build_operation_costs(
    schema: GraphQLSchema, document: DocumentNode, table: CostTable
) -> Mapping[str | None, OperationCost]:
    """Return the cost of each operation in a valid document, by operation name."""
    fragments = {node.name.value: node for node in document.definitions if isinstance(node, FragmentDefinitionNode)}
    builder = _CostBuilder(schema, table, fragments)
    return {
        node.name.value if node.name else None: OperationCost.of(builder.build(node), table)
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
        return FieldCost(own, self._length(name, definition, page_size), tuple(inside)).folded(self.table)

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
    if not set(PAGE_SIZE_ARGUMENTS) <= definition.args.keys():
        return None
    given: list[int | str] = []
    for argument in node.arguments or ():
        if argument.name.value in PAGE_SIZE_ARGUMENTS:
            match argument.value:
                case IntValueNode(value=value):
                    given.append(int(value))
                case VariableNode(name=name):
                    given.append(name.value)
    return PageSize(tuple(given))
