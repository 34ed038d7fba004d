"""Long documents and introspection are processed once each, in one thread with a bounded queue."""

import asyncio
import threading
import weakref
from collections.abc import Iterator
from typing import Any, cast
from unittest import mock

import graphql
import pytest
from graphql import GraphQLSchema, validate

import schema
from domain.errors import TemporarilyUnavailable
from resolvers.context import Context
from schema import Operation
from schema.execution import document_cache
from schema.execution.document_cache import MAX_INTROSPECTION_RESULTS, MAX_WAITING, Document, DocumentCache
from schema.execution.field_costs import build_cost_table

SCHEMA = schema.CORE_SCHEMA
LONG = "{ " + " ".join(f"a{number}: serverTime" for number in range(20)) + " }" + " " * 1_000
WIDE = """{ concerts { ...A ...A2 } } fragment A on ConcertConnection { nodes { ...B } edges { node { ...B } } }
    fragment A2 on ConcertConnection { nodes { ...B } edges { node { ...B } } }
    fragment B on Concert { id slug name description startsAt salesStartAt salesEndAt isOnSale status version
    tiers { ...C } stock { tiers { ...D } } } fragment C on Tier { id name capacity available held sold }
    fragment D on TierStock { tierId capacity available held sold }"""
INTROSPECTION = "{ __schema { types { name fields { name } } } }"


def make_cache() -> DocumentCache:
    return DocumentCache(SCHEMA, build_cost_table(SCHEMA), unshared_fields=frozenset())


class Validations:
    """Records the thread of each validation and delays validations until `gate` is set."""

    def __init__(self) -> None:
        self.threads: list[str] = []
        self.gate = threading.Event()
        self.gate.set()

    def validate(self, schema_: GraphQLSchema, ast: Any, rules: Any, **options: Any) -> Any:
        self.threads.append(threading.current_thread().name)
        self.gate.wait()
        return validate(schema_, ast, rules, **options)


@pytest.fixture
def validations() -> Iterator[Validations]:
    recorded = Validations()
    with mock.patch.object(document_cache, "validate", recorded.validate):
        yield recorded
        recorded.gate.set()


@pytest.mark.parametrize("text", [LONG, WIDE], ids=["long", "many fields"])
async def test_large_document_is_validated_in_the_thread(validations: Validations, text: str) -> None:
    assert (await make_cache().get(text)).errors == ()
    assert validations.threads == ["documents_0"]


async def test_document_with_many_identical_fields_is_validated_in_the_thread(validations: Validations) -> None:
    assert (await make_cache().get("{ concerts { nodes { " + "id " * 50 + "} } }")).errors == ()
    assert validations.threads == ["documents_0"]


async def test_small_document_is_validated_in_the_loop(validations: Validations) -> None:
    assert (await make_cache().get("{ serverTime }")).errors == ()
    assert validations.threads == [threading.current_thread().name]


async def test_concurrent_callers_share_one_validation(validations: Validations) -> None:
    cache = make_cache()
    validations.gate.clear()
    callers = [asyncio.create_task(cache.get(LONG)) for _ in range(100)]
    callers[0].cancel()
    await asyncio.sleep(0)
    callers[1].cancel()
    validations.gate.set()
    results = await asyncio.gather(*callers, return_exceptions=True)

    assert [type(result).__name__ for result in results[:2]] == ["CancelledError"] * 2
    assert all(result is results[2] for result in results[2:])
    assert len(validations.threads) == 1


async def test_long_documents_are_refused_while_the_queue_is_full(validations: Validations) -> None:
    cache = make_cache()
    validations.gate.clear()
    waiting = [asyncio.create_task(cache.get(LONG + " " * number)) for number in range(MAX_WAITING)]
    await asyncio.sleep(0)

    (error,) = (await cache.get(LONG + "#")).errors
    assert isinstance(error.original_error, TemporarilyUnavailable)
    assert str(error.original_error).startswith("Too many long documents are being read; repeat the same request")

    validations.gate.set()
    assert [document.errors for document in await asyncio.gather(*waiting)] == [()] * MAX_WAITING
    assert (await cache.get(LONG + "#")).errors == ()


async def test_introspection_is_executed_once_and_then_cached() -> None:
    without_stores = Context(cast(Any, None), cast(Any, None), None, "test-request")
    operation = Operation(INTROSPECTION, {}, None)
    with mock.patch.object(document_cache, "execute_sync", wraps=graphql.execute_sync) as execute_sync:
        first = await schema.execute(operation, without_stores)
        second = await schema.execute(operation, without_stores)

    assert "Concert" in str(first.payload["data"])
    assert first.payload == second.payload
    assert execute_sync.call_count == 1


async def test_only_the_latest_introspection_results_are_cached() -> None:
    """A result is much larger than its document, and a comment is enough to make a new document."""
    cache = make_cache()
    documents = [await cache.get(f"{INTROSPECTION}#{number}") for number in range(MAX_INTROSPECTION_RESULTS + 1)]
    with mock.patch.object(document_cache, "execute_sync", wraps=graphql.execute_sync) as execute_sync:
        for document in documents:
            await cache.introspect(document, None, {})
        await cache.introspect(documents[1], None, {})
        assert execute_sync.call_count == len(documents)
        await cache.introspect(documents[0], None, {})
        assert execute_sync.call_count == len(documents) + 1
        await cache.introspect(documents[1], None, {})
        assert execute_sync.call_count == len(documents) + 1


async def test_abandoned_introspection_does_not_answer_another_document() -> None:
    """The execution keeps its document alive, so the `id()` of the document is not reused."""
    cache, gate = make_cache(), threading.Event()
    alive: list[weakref.ref[Document]] = []

    def execute_sync(*args: Any, **options: Any) -> Any:
        gate.wait()
        return graphql.execute_sync(*args, **options)

    with mock.patch.object(document_cache, "execute_sync", execute_sync):
        document = await cache.get(INTROSPECTION.ljust(document_cache.LONGEST_CACHED + 1))
        alive.append(weakref.ref(document))
        abandoned = asyncio.create_task(cache.introspect(document, None, {}))
        del document
        await asyncio.sleep(0)
        abandoned.cancel()
        await asyncio.gather(abandoned, return_exceptions=True)
        del abandoned
        assert alive[0]() is not None
        gate.set()
        # One thread executes both, so the abandoned one has ended when this one answers. Otherwise
        # it could call the mock of a later test.
        await cache.introspect(await cache.get(INTROSPECTION), None, {})


async def test_introspection_with_variables_uses_them() -> None:
    without_stores = Context(cast(Any, None), cast(Any, None), None, "test-request")
    text = "query ($name: String!) { __type(name: $name) { name } }"

    for name in ("Tier", "Hold"):
        result = await schema.execute(Operation(text, {"name": name}, None), without_stores)
        assert result.payload["data"] == {"__type": {"name": name}}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{ a: __schema { types { name } } b: __schema { types { name } } }", "1 selection of __schema or __type (2)"),
        ('{ __schema { types { name } } __type(name: "Tier") { name } }', "1 selection of __schema or __type (2)"),
        (
            "{ ...F } fragment F on Query { serverTime ... { __schema { types { name } } } }",
            "for the schema and for data",
        ),
    ],
)
async def test_introspection_is_refused_if_repeated_or_combined_with_data(text: str, words: str) -> None:
    (error,) = (await make_cache().get(text)).errors

    assert words in error.message
    assert error.extensions == {"code": "QUERY_TOO_COMPLEX"}


async def test_typename_next_to_introspection_is_allowed() -> None:
    assert (await make_cache().get("{ __typename __schema { types { name } } }")).errors == ()
