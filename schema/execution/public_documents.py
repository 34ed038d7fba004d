"""Finds the documents whose answers are the same for all signed-out people.

Only such an answer may be stored by a cache that several people share.
"""

from collections.abc import Set

from graphql import DocumentNode, FieldNode, GraphQLSchema, TypeInfo, TypeInfoVisitor, Visitor, VisitorAction, visit


def is_public_document(schema: GraphQLSchema, document: DocumentNode, unshared_fields: Set[str]) -> bool:
    """Return whether a valid document selects none of these fields.

    Their names are written like `Query.me`, or `Order.*` for all fields of a type. A field that a
    directive may skip counts too.
    """
    type_info = TypeInfo(schema)
    visitor = _UnsharedFields(type_info, unshared_fields)
    visit(document, TypeInfoVisitor(type_info, visitor))
    return not visitor.found


class _UnsharedFields(Visitor):
    def __init__(self, type_info: TypeInfo, unshared_fields: Set[str]) -> None:
        super().__init__()
        self.found = False
        self._type_info = type_info
        self._unshared_fields = unshared_fields

    def enter_field(self, node: FieldNode, *_: object) -> VisitorAction:
        parent = self._type_info.get_parent_type()
        self.found = not self._unshared_fields.isdisjoint((f"{parent}.{node.name.value}", f"{parent}.*"))
        return self.BREAK if self.found else None
