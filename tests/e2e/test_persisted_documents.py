"""Automatic persisted queries: a hash instead of a document, on each transport."""

import uuid
from collections.abc import AsyncIterator
from typing import Any

import orjson
import pytest
import pytest_asyncio

from schema import DocumentRules, build_engine, hash_document
from storage.embedded.process import ServerProcess
from tests.support.databases import DatabasePool
from tests.support.shop import CREATE, Shop, concert_input
from tests.support.store_servers import open_shop
from tests.support.transports import TRANSPORTS, apollo_hash, error_of, send_over

pytestmark = pytest.mark.asyncio(loop_scope="module")

JSON = "application/json"
GRAPHQL = "application/graphql-response+json"
NOT_FOUND = ("PersistedQueryNotFound", "PERSISTED_QUERY_NOT_FOUND")
NOT_SUPPORTED = ("PersistedQueryNotSupported", "PERSISTED_QUERY_NOT_SUPPORTED")
COST = {"cost": {"requested": 1, "limit": 30_000}}
TYPENAME = {"data": {"__typename": "Query"}, "extensions": COST}


def new_document(text: str = "query { __typename }") -> str:
    """Return a valid document that no test has sent before."""
    return f"{text} # {uuid.uuid4().hex}"


async def is_known(shop: Shop, document: str) -> bool:
    answer = (await shop.client.post("/graphql", json={"extensions": apollo_hash(document)})).json()
    return "data" in answer or error_of(answer) != NOT_FOUND


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shop_without_hashes(shared_valkey: ServerProcess, databases: DatabasePool) -> AsyncIterator[Shop]:
    engine = build_engine(DocumentRules(persisted_bytes=0))
    async with open_shop(shared_valkey, databases, engine=engine) as made:
        yield made


# Registration


@pytest.mark.parametrize("by", [None, "alice"])
@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_hash_works_once_its_document_has_been_sent(shop: Shop, transport: str, by: str | None) -> None:
    document = new_document()
    extensions = apollo_hash(document)
    assert error_of(await send_over(transport, shop, {"extensions": extensions}, by=by)) == NOT_FOUND
    assert await send_over(transport, shop, {"query": document, "extensions": extensions}, by=by) == TYPENAME
    for other in TRANSPORTS:
        assert await send_over(other, shop, {"extensions": extensions}) == TYPENAME


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("prefix", ["sha256:", ""])
async def test_document_id_works_like_the_hash(shop: Shop, transport: str, prefix: str) -> None:
    document = new_document("query A { __typename } query B { b: __typename }")
    request = {"documentId": prefix + hash_document(document).hex(), "operationName": "B"}
    assert error_of(await send_over(transport, shop, request)) == NOT_FOUND
    answer = {"data": {"b": "Query"}, "extensions": COST}
    assert await send_over(transport, shop, request | {"query": document}) == answer
    assert await send_over(transport, shop, request) == answer


@pytest.mark.parametrize("transport", ["event stream", "socket"])
async def test_subscription_can_be_sent_by_its_hash(shop: Shop, transport: str) -> None:
    concert = await shop.on_sale()
    document = new_document("subscription ($id: ID!) { stockChanged(concertId: $id) { soldOut } }")
    request = {"variables": {"id": concert.id}, "extensions": apollo_hash(document)}
    answer = {"data": {"stockChanged": {"soldOut": False}}}
    assert error_of(await send_over(transport, shop, request)) == NOT_FOUND
    assert await send_over(transport, shop, request | {"query": document}) == answer
    assert await send_over(transport, shop, request) == answer


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("query {", "BAD_USER_INPUT"),
        ("{ nothing }", "BAD_USER_INPUT"),
        ("{ " + "serverTime " * 21 + "}", "QUERY_TOO_COMPLEX"),
        ("{ serverTime }" + " " * 20_000, "QUERY_TOO_COMPLEX"),
    ],
    ids=["syntax", "validation", "limit", "length"],
)
async def test_refused_document_is_not_registered(shop: Shop, transport: str, text: str, code: str) -> None:
    document = new_document(text)
    answer = await send_over(transport, shop, {"query": document, "extensions": apollo_hash(document)})
    assert error_of(answer)[1] == code
    assert not await is_known(shop, document)


async def test_document_too_long_for_the_cache_can_be_sent_by_its_hash(shop: Shop) -> None:
    document = new_document("{ __typename }" + " " * 19_000)
    request = {"extensions": apollo_hash(document)}
    assert await send_over("POST", shop, request | {"query": document}) == TYPENAME
    assert await send_over("POST", shop, request) == TYPENAME


async def test_document_without_its_hash_is_not_registered(shop: Shop) -> None:
    document = new_document()
    assert await send_over("POST", shop, {"query": document}) == TYPENAME
    assert not await is_known(shop, document)


# Refusals


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_hash_of_another_document_is_refused(shop: Shop, transport: str) -> None:
    document, other = new_document(), new_document()
    request = {"query": document, "extensions": apollo_hash(other)}
    if transport in ("POST", "GET", "event stream"):
        refused = await shop.client.post("/graphql", json=request, headers={"Accept": JSON})
        assert (refused.status_code, refused.headers["cache-control"]) == (400, "no-store")
    if transport != "event stream":
        message, code = error_of(await send_over(transport, shop, request))
        assert code == "PERSISTED_QUERY_HASH_MISMATCH"
        assert f"The hash of this document is {hash_document(document).hex()}" in message
        assert "send the SHA-256 of exactly the text in `query`" in message
    assert not await is_known(shop, document)
    assert not await is_known(shop, other)


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        ({"extensions": {"persistedQuery": "hash"}}, "is a string"),
        ({"extensions": {"persistedQuery": {"version": 2, "sha256Hash": "e" * 64}}}, "version` must be 1"),
        ({"extensions": {"persistedQuery": {"sha256Hash": "e" * 64}}}, "version` must be 1"),
        ({"extensions": {"persistedQuery": {"version": 1}}}, "64 hexadecimal digits"),
        ({"extensions": {"persistedQuery": {"version": 1, "sha256Hash": "e" * 63}}}, "64 hexadecimal digits"),
        ({"extensions": {"persistedQuery": {"version": 1, "sha256Hash": ["e"]}}}, "64 hexadecimal digits"),
        ({"documentId": "sha1:" + "e" * 40}, "`documentId` is 'sha1:"),
        ({"documentId": "sha256:"}, "`documentId` is 'sha256:'"),
        ({"documentId": "٣" * 64}, "64 hexadecimal digits"),
        (
            {"documentId": "d" * 64, "extensions": {"persistedQuery": {"version": 1, "sha256Hash": "e" * 64}}},
            "different documents",
        ),
    ],
)
async def test_malformed_hash_is_refused_on_every_transport(shop: Shop, request_: dict[str, Any], words: str) -> None:
    for request in (request_, request_ | {"query": "{ __typename }"}):
        for transport in ("POST", "GET", "socket"):
            message, code = error_of(await send_over(transport, shop, request))
            assert (words in message, code) == (True, "BAD_USER_INPUT")


@pytest.mark.parametrize(("accept", "status"), [(JSON, 200), ("*/*", 200), (GRAPHQL, 400), (f"{GRAPHQL}, {JSON}", 400)])
async def test_status_for_an_unknown_hash_depends_on_the_accepted_media_type(
    shop: Shop, accept: str, status: int
) -> None:
    request = {"extensions": apollo_hash(new_document())}
    answer = await shop.client.post("/graphql", json=request, headers={"Accept": accept})
    assert (answer.status_code, error_of(answer.json())) == (status, NOT_FOUND)
    assert answer.headers["cache-control"] == "no-store"


async def test_mutation_by_hash_over_get_gets_405_and_changes_nothing(shop: Shop) -> None:
    document, name = new_document(CREATE), uuid.uuid4().hex
    params = {"documentId": hash_document(document).hex()}
    variables, headers = {"input": concert_input(name=name)}, shop.headers("olivia")

    async def get_refused(**more: str) -> None:
        url_params = {**params, "variables": orjson.dumps(variables).decode(), **more}
        refused = await shop.client.get("/graphql", params=url_params, headers=headers)
        assert (refused.status_code, refused.headers["allow"]) == (405, "POST")
        assert refused.headers["cache-control"] == "private, no-store"

    async def drafts() -> int:
        search = "query ($name: String!) { concerts(filter: {search: $name}) { nodes { name } } }"
        return len((await shop.fields(search, by="olivia", name=name))["concerts"]["nodes"])

    await get_refused(query=document)
    assert not await is_known(shop, document)
    assert await drafts() == 0
    post = {"query": document, **params, "variables": variables}
    assert "errors" not in (await shop.client.post("/graphql", json=post, headers=headers)).json()
    assert await drafts() == 1
    await get_refused()
    assert await drafts() == 1


# Turned off


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("document", [{}, {"query": None}, {"query": ""}], ids=["absent", "null", "empty"])
async def test_hash_is_refused_as_unsupported_if_hashes_are_turned_off(
    shop_without_hashes: Shop, transport: str, document: dict[str, Any]
) -> None:
    if transport == "GET" and document == {"query": None}:
        document = {"query": ""}
    request = {**document, "extensions": apollo_hash("{ __typename }")}
    assert error_of(await send_over(transport, shop_without_hashes, request)) == NOT_SUPPORTED


async def test_document_with_its_hash_runs_even_if_hashes_are_turned_off(shop_without_hashes: Shop) -> None:
    request = {"query": "{ __typename }", "extensions": apollo_hash("{ __typename }")}
    for transport in TRANSPORTS:
        assert await send_over(transport, shop_without_hashes, request) == TYPENAME
