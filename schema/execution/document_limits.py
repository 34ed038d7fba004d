"""Size limits of documents, checked before validation: an attack must cost its sender more than us.

A document is measured as it will run: the contents of a fragment count wherever it is spread.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionNode,
    SelectionSetNode,
)

from schema.execution.top_level_errors import SystemCode

# GraphiQL's introspection, the largest document of any tool we know, has 15 levels and 229 fields
# after its fragments are spread. Validation time grows with the square of fields that select the
# same: 0.1 s for 400.
MAX_CHARACTERS = 20_000
MAX_TOKENS = 2_000
MAX_DEPTH = 15
MAX_FIELDS = 400
MAX_ALIASES = 30
MAX_DIRECTIVES = 50
MAX_ROOT_FIELDS = 20
MAX_INTROSPECTIONS = 1


def too_complex(what: str) -> GraphQLError:
    return GraphQLError(
        f"This document {what}; split it into several requests.", extensions={"code": SystemCode.QUERY_TOO_COMPLEX}
    )


@dataclass(frozen=True, slots=True)
class Size:
    depth: int = 0
    fields: int = 0
    roots: int = 0
    """Fields on the first level."""
    introspections: int = 0
    """Fields on the first level that ask for the schema."""
    typenames: int = 0
    """Fields on the first level that are `__typename`."""
    aliases: int = 0
    directives: int = 0

    def __add__(self, other: "Size") -> "Size":
        return Size(
            depth=max(self.depth, other.depth),
            fields=self.fields + other.fields,
            roots=self.roots + other.roots,
            introspections=self.introspections + other.introspections,
            typenames=self.typenames + other.typenames,
            aliases=self.aliases + other.aliases,
            directives=self.directives + other.directives,
        )


def check(document: DocumentNode) -> Size | GraphQLError:
    """Return the size of a document, or an error for the first limit that it exceeds."""
    try:
        size = measure(document)
    except RecursionError:
        # A chain of fragments may exceed the recursion limit although the parser accepts each of
        # them.
        return too_complex("is nested too deeply")
    for name, measured, limit in (
        ("levels of nesting", size.depth, MAX_DEPTH),
        ("fields", size.fields, MAX_FIELDS),
        ("root fields", size.roots, MAX_ROOT_FIELDS),
        ("aliases", size.aliases, MAX_ALIASES),
        ("directives", size.directives, MAX_DIRECTIVES),
        ("field __schema or __type", size.introspections, MAX_INTROSPECTIONS),
    ):
        if measured > limit:
            return too_complex(f"has more than {limit} {name} ({measured})")
    if size.introspections and size.introspections + size.typenames < size.roots:
        return too_complex("asks for the schema and for data")
    return size


def measure(document: DocumentNode) -> Size:
    """Return the size of all operations of the document together."""
    ruler = _SizeMeter(document)
    operations = (node for node in document.definitions if isinstance(node, OperationDefinitionNode))
    return sum(map(ruler.definition, operations), Size())


class _SizeMeter:
    """Measures each fragment once; a fragment inside itself counts zero: validation refuses it."""

    def __init__(self, document: DocumentNode) -> None:
        nodes = (node for node in document.definitions if isinstance(node, FragmentDefinitionNode))
        self._fragments: Mapping[str, FragmentDefinitionNode] = {node.name.value: node for node in nodes}
        self._sizes: dict[str, Size] = {}

    def definition(self, node: OperationDefinitionNode | FragmentDefinitionNode | InlineFragmentNode) -> Size:
        return Size(directives=len(node.directives or ())) + self._all(node.selection_set)

    def _all(self, selections: SelectionSetNode) -> Size:
        return sum(map(self._one, selections.selections), Size())

    def _one(self, node: SelectionNode) -> Size:
        match node:
            case FieldNode():
                return self._field(node)
            case InlineFragmentNode():
                return self.definition(node)
            case FragmentSpreadNode():
                return Size(directives=len(node.directives or ())) + self._fragment(node.name.value)
        return Size()

    def _field(self, node: FieldNode) -> Size:
        inside = self._all(node.selection_set) if node.selection_set else Size()
        return Size(
            depth=inside.depth + 1,
            fields=inside.fields + 1,
            roots=1,
            introspections=node.name.value in ("__schema", "__type"),
            typenames=node.name.value == "__typename",
            aliases=inside.aliases + (node.alias is not None),
            directives=inside.directives + len(node.directives or ()),
        )

    def _fragment(self, name: str) -> Size:
        if name not in self._sizes and name in self._fragments:
            self._sizes[name] = Size()
            self._sizes[name] = self.definition(self._fragments[name])
        return self._sizes.get(name, Size())
