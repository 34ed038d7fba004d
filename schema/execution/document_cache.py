"""A cache of parsed, measured and validated documents, by text;
the least recently used are evicted.
"""

from collections import OrderedDict
from dataclasses import dataclass

from graphql import (
    DocumentNode,
    GraphQLError,
    GraphQLSchema,
    OperationDefinitionNode,
    get_operation_ast,
    parse,
    validate,
)

from schema.execution import document_limits
from schema.execution.literal_values import RULES

# A parsed document takes about 100 times its text, so the cache stays below 100 MB for any input.
CACHED_DOCUMENTS = 500
LONGEST_CACHED = 2_000

# The message of graphql-core for a parser limit or Python's recursion limit; syntax errors have
# other messages.
_PARSING_ABORTED = "Parsing aborted."
_VALIDATION_ABORTED = "Validation aborted."
_MAX_ERRORS = 10


@dataclass(frozen=True, slots=True)
class Document:
    """A parsed document; `ast` is set if there are no errors."""

    ast: DocumentNode | None
    errors: tuple[GraphQLError, ...] = ()

    def operation(self, name: str | None) -> OperationDefinitionNode | None:
        return get_operation_ast(self.ast, name) if self.ast else None


class DocumentCache:
    def __init__(self, schema: GraphQLSchema) -> None:
        self._schema = schema
        self._known: OrderedDict[str, Document] = OrderedDict()

    def get(self, text: str) -> Document:
        known = self._known.get(text)
        if known is not None:
            self._known.move_to_end(text)
            return known
        document = _read(text, self._schema)
        if document.ast is not None and len(text) <= LONGEST_CACHED:
            self._known[text] = document
            if len(self._known) > CACHED_DOCUMENTS:
                self._known.popitem(last=False)
        return document


def _read(text: str, schema: GraphQLSchema) -> Document:
    try:
        ast = parse(
            text,
            max_lexical_tokens=document_limits.MAX_TOKENS,
            max_comments=document_limits.MAX_TOKENS,
            max_source_length=document_limits.MAX_CHARACTERS,
        )
    except GraphQLError as error:
        return Document(None, (_too_large() if error.message.endswith(_PARSING_ABORTED) else error,))
    if broken := document_limits.check(ast):
        return Document(None, (broken,))
    errors = validate(schema, ast, RULES, max_errors=_MAX_ERRORS)
    if any(error.message == _VALIDATION_ABORTED for error in errors):
        return Document(None, (_too_large(),))
    return Document(None, tuple(errors)) if errors else Document(ast)


def _too_large() -> GraphQLError:
    characters, tokens = document_limits.MAX_CHARACTERS, document_limits.MAX_TOKENS
    return document_limits.too_complex(
        f"has more than {characters} characters or {tokens} tokens, or is nested too deeply"
    )
