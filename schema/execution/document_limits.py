"""Size limits for documents, checked before validation, which is expensive for large documents.

An attack must cost the attacker more than the server. A document is measured as if its
fragments were expanded: the contents of a fragment count each time it is spread.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

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

from domain.limits.operations import OperationLimits
from schema.execution.top_level_errors import SystemCode

MAX_INTROSPECTIONS = 1
# Fifty fragments that all select `id` make 1,225 pairs. Validation takes up to 8 µs per pair.
MAX_COMPARISONS = 8_000


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
    """Fields on the first level that query the schema."""
    typenames: int = 0
    """Fields on the first level that are `__typename`."""
    aliases: int = 0
    directives: int = 0
    comparisons: int = 0
    """Pairs of fields with the same response name, which validation compares."""

    def __add__(self, other: "Size") -> "Size":
        return Size(
            depth=max(self.depth, other.depth),
            fields=self.fields + other.fields,
            roots=self.roots + other.roots,
            introspections=self.introspections + other.introspections,
            typenames=self.typenames + other.typenames,
            aliases=self.aliases + other.aliases,
            directives=self.directives + other.directives,
            comparisons=self.comparisons + other.comparisons,
        )


def introspection_disabled() -> GraphQLError:
    return GraphQLError(
        "This server does not show its schema (`__schema`, `__type`); ask its operator for the SDL.",
        extensions={"code": SystemCode.INTROSPECTION_DISABLED},
    )


def check(document: DocumentNode, limits: OperationLimits, *, allows_introspection: bool) -> Size | GraphQLError:
    """Return the size of a document, or an error for the first limit that it exceeds."""
    try:
        size = measure(document)
    except RecursionError:
        # A chain of fragments may exceed the recursion limit although the parser accepts each
        # fragment.
        return too_complex("is nested too deeply")
    if size.introspections and not allows_introspection:
        return introspection_disabled()
    for name, measured, limit in (
        ("levels of nesting", size.depth, limits.depth),
        ("fields", size.fields, limits.fields),
        ("root fields", size.roots, limits.root_fields),
        ("aliases", size.aliases, limits.aliases),
        ("directives", size.directives, limits.directives),
        ("selection of __schema or __type", size.introspections, MAX_INTROSPECTIONS),
    ):
        if measured > limit:
            return too_complex(f"has more than {limit} {name} ({measured})")
    comparisons = count_comparisons(document)
    if comparisons > MAX_COMPARISONS:
        return too_complex(f"selects the same field name too often ({comparisons} pairs, at most {MAX_COMPARISONS})")
    if size.introspections and size.introspections + size.typenames < size.roots:
        return too_complex("asks for the schema and for data")
    return replace(size, comparisons=comparisons)


def measure(document: DocumentNode) -> Size:
    """Return the size of all operations of the document together.

    Unused fragments count too, because validation reads them.
    """
    meter = _SizeMeter(document)
    operations = (node for node in document.definitions if isinstance(node, OperationDefinitionNode))
    return sum(map(meter.definition, operations), Size()) + meter.unused_fragments()


def count_comparisons(document: DocumentNode) -> int:
    """Return how many pairs of fields with the same response name validation compares."""
    fragments = {node.name.value: node for node in document.definitions if isinstance(node, FragmentDefinitionNode)}
    definitions = (
        node for node in document.definitions if isinstance(node, OperationDefinitionNode | FragmentDefinitionNode)
    )
    return sum(_count_pairs([node.selection_set], fragments) for node in definitions)


def _count_pairs(merged: Iterable[SelectionSetNode], fragments: Mapping[str, FragmentDefinitionNode]) -> int:
    """Count the pairs within the selection sets of one object, and within nested selection sets."""
    named: dict[str, list[FieldNode]] = {}
    spread: set[str] = set()
    unread = list(merged)
    while unread:
        for node in unread.pop().selections:
            match node:
                case FieldNode():
                    named.setdefault((node.alias or node.name).value, []).append(node)
                case InlineFragmentNode():
                    unread.append(node.selection_set)
                case FragmentSpreadNode(name=name) if name.value in fragments and name.value not in spread:
                    spread.add(name.value)
                    unread.append(fragments[name.value].selection_set)
    return sum(
        len(nodes) * (len(nodes) - 1) // 2
        + _count_pairs([node.selection_set for node in nodes if node.selection_set], fragments)
        for nodes in named.values()
    )


class _SizeMeter:
    """Measures each fragment once.

    If a fragment spreads itself, the inner spread counts as zero, because validation refuses it.
    """

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

    def unused_fragments(self) -> Size:
        unused = [self._fragment(name) for name in self._fragments if name not in self._sizes]
        return replace(sum(unused, Size()), roots=0, introspections=0, typenames=0)

    def _fragment(self, name: str) -> Size:
        if name not in self._sizes and name in self._fragments:
            self._sizes[name] = Size()
            self._sizes[name] = self.definition(self._fragments[name])
        return self._sizes.get(name, Size())
