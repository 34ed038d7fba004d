"""A persisted document is kept in memory once, and each process keeps its own documents."""

from typing import Any, cast

from resolvers.context import Context
from schema import CORE_SCHEMA, DocumentRules, Engine, Operation, build_engine, hash_document
from schema.execution.document_cache import DocumentCache
from schema.execution.document_sources import AnyDocuments
from schema.execution.field_costs import build_cost_table
from schema.execution.persisted_documents import PersistedDocuments

TEXT = "{ __typename }"
HASH = hash_document(TEXT)
WITHOUT_STORES = Context(cast(Any, None), cast(Any, None), None, "test-request")


def copy_of(text: str) -> str:
    """Return an equal string that is a new object, like the one in each request."""
    return "".join(list(text))


async def test_cache_and_persisted_documents_share_one_string() -> None:
    cache = DocumentCache(CORE_SCHEMA, build_cost_table(CORE_SCHEMA), unshared_fields=frozenset())
    persisted = PersistedDocuments(10_000)
    documents = AnyDocuments(cache, persisted)
    for _ in range(3):
        document = await documents.read(copy_of(TEXT), HASH)
        documents.record_use(HASH, document.text, is_signed_in=False)
        kept = persisted.get(HASH)
        assert kept is not None
        assert kept is document.text
        assert (await cache.get(copy_of(TEXT))).text is kept


async def execute(engine: Engine, text: str | None) -> dict[str, object]:
    return (await engine.executor.execute(Operation(text, {}, None, HASH), WITHOUT_STORES)).payload


async def test_another_process_asks_for_the_document_again() -> None:
    first, second = build_engine(DocumentRules()), build_engine(DocumentRules())
    answer = {"data": {"__typename": "Query"}, "extensions": {"cost": {"requested": 1, "limit": 30_000}}}
    assert await execute(first, TEXT) == answer
    assert "PERSISTED_QUERY_NOT_FOUND" in str(await execute(second, None))
    assert await execute(second, TEXT) == answer
    assert await execute(second, None) == await execute(first, None) == answer
