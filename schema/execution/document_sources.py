"""Sources of the documents that requests send, or name by their hash."""

from typing import Protocol

from graphql import GraphQLError

from schema.execution.document_cache import Document, DocumentCache, refused_document
from schema.execution.persisted_documents import DocumentHash, PersistedDocuments
from schema.execution.top_level_errors import SystemCode


class DocumentSource(Protocol):
    async def read(self, text: str | None, hash_: DocumentHash | None) -> Document:
        """Return the document of a request, which has a text, a hash, or a text with its hash.

        If the document is refused, it has errors instead of a syntax tree.
        """
        ...

    def record_use(self, hash_: DocumentHash, text: str, *, is_signed_in: bool) -> None:
        """Record that a client sent the hash of this valid document, alone or with its text."""
        ...


class AnyDocuments:
    """Accepts all valid documents, and keeps those that come with their hash.

    If `persisted` is None, clients cannot send a hash instead of a document.
    """

    def __init__(self, cache: DocumentCache, persisted: PersistedDocuments | None) -> None:
        self._cache = cache
        self._persisted = persisted

    async def read(self, text: str | None, hash_: DocumentHash | None) -> Document:
        if text is None and hash_ is not None:
            if self._persisted is None:
                return refused_document(_NOT_SUPPORTED)
            text = self._persisted.get(hash_)
        return refused_document(_NOT_FOUND) if text is None else await self._cache.get(text)

    def record_use(self, hash_: DocumentHash, text: str, *, is_signed_in: bool) -> None:
        if self._persisted is not None:
            self._persisted.put(hash_, text, is_signed_in=is_signed_in)


# Apollo's link recognizes these two errors by their codes, and urql's by their messages. After the
# first, both send the document with its hash; after the second, documents without hashes.
_NOT_FOUND = GraphQLError("PersistedQueryNotFound", extensions={"code": SystemCode.PERSISTED_QUERY_NOT_FOUND})
_NOT_SUPPORTED = GraphQLError(
    "PersistedQueryNotSupported", extensions={"code": SystemCode.PERSISTED_QUERY_NOT_SUPPORTED}
)
