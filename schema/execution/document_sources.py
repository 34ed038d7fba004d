"""Sources of the documents that requests send, or identify by hash."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Protocol

from graphql import GraphQLError

from schema.execution.document_cache import Document, DocumentCache, refused_document
from schema.execution.persisted_documents import DocumentHash, PersistedDocuments
from schema.execution.top_level_errors import SystemCode


class DocumentSource(Protocol):
    async def read(self, text: str | None, hash_: DocumentHash | None) -> Document:
        """Return the document of a request that gives a text, a hash, or both.

        A refused document has errors instead of a syntax tree.
        """
        ...

    def find(self, text: str | None, hash_: DocumentHash | None) -> Document | None:
        """Return the document that `read` would, if that takes no time."""
        ...

    def record_use(self, hash_: DocumentHash, text: str, *, is_signed_in: bool) -> None:
        """Record that a client sent the hash of this valid document, alone or with its text."""
        ...


class AnyDocuments:
    """Accepts all valid documents, and keeps those that are sent with their hash.

    If `persisted` is None, clients cannot send a hash instead of a document, except the hash of a
    document in `known`.
    """

    def __init__(
        self,
        cache: DocumentCache,
        persisted: PersistedDocuments | None,
        *,
        known: Mapping[DocumentHash, Document] = MappingProxyType({}),
    ) -> None:
        self._cache = cache
        self._persisted = persisted
        self._known = known

    async def read(self, text: str | None, hash_: DocumentHash | None) -> Document:
        if hash_ is not None and hash_ in self._known:
            return self._known[hash_]
        if text is None and hash_ is not None:
            if self._persisted is None:
                return refused_document(_NOT_SUPPORTED)
            text = self._persisted.get(hash_)
        return refused_document(_NOT_FOUND) if text is None else await self._cache.get(text)

    def find(self, text: str | None, hash_: DocumentHash | None) -> Document | None:
        if hash_ is not None and hash_ in self._known:
            return self._known[hash_]
        return None if text is None else self._cache.find(text)

    def record_use(self, hash_: DocumentHash, text: str, *, is_signed_in: bool) -> None:
        if self._persisted is not None and hash_ not in self._known:
            self._persisted.put(hash_, text, is_signed_in=is_signed_in)


class TrustedDocuments:
    """Accepts only the documents on a list, identified by hash.

    If `schema_queries` is given, queries that ask only for the schema are accepted too.
    """

    def __init__(self, documents: Mapping[DocumentHash, Document], schema_queries: DocumentCache | None) -> None:
        self._documents = documents
        self._schema_queries = schema_queries

    async def read(self, text: str | None, hash_: DocumentHash | None) -> Document:
        if hash_ is not None:
            return self._documents.get(hash_) or refused_document(_not_in_list(hash_))
        if text is not None and self._schema_queries is not None:
            document = await self._schema_queries.get(text)
            if document.is_introspection:
                return document
        return refused_document(_ID_REQUIRED)

    def find(self, text: str | None, hash_: DocumentHash | None) -> Document | None:
        return None if hash_ is None else self._documents.get(hash_)

    def record_use(self, hash_: DocumentHash, text: str, *, is_signed_in: bool) -> None:
        """Do nothing, because the list never changes."""


def _not_in_list(hash_: DocumentHash) -> GraphQLError:
    return GraphQLError(
        f"This server runs only trusted documents, and none of them has the hash {hash_.hex()};"
        " add the document to the server's list before clients use it.",
        extensions={"code": SystemCode.PERSISTED_QUERY_NOT_IN_LIST},
    )


# Apollo Router uses the same codes.
_ID_REQUIRED = GraphQLError(
    "This server runs only trusted documents; send `documentId` with the hash of one instead of `query`.",
    extensions={"code": SystemCode.PERSISTED_QUERY_ID_REQUIRED},
)
# Apollo's link recognizes these two errors by their codes, and urql's by their messages. On the
# first error, both resend the document with its hash; on the second, they stop sending hashes.
_NOT_FOUND = GraphQLError("PersistedQueryNotFound", extensions={"code": SystemCode.PERSISTED_QUERY_NOT_FOUND})
_NOT_SUPPORTED = GraphQLError(
    "PersistedQueryNotSupported", extensions={"code": SystemCode.PERSISTED_QUERY_NOT_SUPPORTED}
)
