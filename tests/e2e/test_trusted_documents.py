"""Each transport runs the trusted documents in the list and refuses all others."""

from collections.abc import AsyncIterator
from typing import Any

import orjson
import pytest
import pytest_asyncio

from schema import DocumentRules, build_engine, hash_document
from storage.embedded.process import ServerProcess
from tests.support.databases import DatabasePool
from tests.support.shop import CREATE, PUBLISH, Shop, concert_input
from tests.support.store_servers import open_shop
from tests.support.transports import TRANSPORTS, apollo_hash, error_of, send_over

pytestmark = pytest.mark.asyncio(loop_scope="module")

TYPENAME = "query { __typename }"
LONG = TYPENAME.ljust(15_000)
STOCK = "subscription ($id: ID!) { stockChanged(concertId: $id) { soldOut } }"
OTHER = "query Other { __typename }"
ANSWER = {"data": {"__typename": "Query"}, "extensions": {"cost": {"requested": 1, "limit": 30_000}}}
GRAPHQL = "application/graphql-response+json"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def trusting_shop(
    shared_valkey: ServerProcess, databases: DatabasePool, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Shop]:
    file = tmp_path_factory.mktemp("trusted") / "list.json"
    listed = {hash_document(text).hex(): text for text in (TYPENAME, LONG, STOCK, CREATE, PUBLISH)}
    file.write_bytes(orjson.dumps(listed))
    engine = build_engine(DocumentRules(trusted_file=file, allows_introspection=False))
    async with open_shop(shared_valkey, databases, engine=engine) as made:
        yield made


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("text", [TYPENAME, LONG], ids=["short", "long"])
async def test_trusted_document_runs_by_either_form_of_its_hash(trusting_shop: Shop, transport: str, text: str) -> None:
    requests: list[dict[str, Any]] = [
        {"documentId": f"sha256:{hash_document(text).hex()}"},
        {"documentId": hash_document(text).hex()},
        {"extensions": apollo_hash(text)},
        {"extensions": apollo_hash(text), "query": text},
    ]
    for request in requests:
        assert await send_over(transport, trusting_shop, request) == ANSWER


@pytest.mark.parametrize("by", [None, "olivia"])
@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("text", [TYPENAME, OTHER, "{ nothing }", "{", "", "{ __schema { types { name } } }"])
async def test_document_without_its_hash_is_refused(
    trusting_shop: Shop, transport: str, text: str, by: str | None
) -> None:
    if transport == "GET" and not text:
        text = " "
    message, code = error_of(await send_over(transport, trusting_shop, {"query": text}, by=by))
    assert (code, "send `documentId`" in message) == ("PERSISTED_QUERY_ID_REQUIRED", True)


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_unlisted_document_cannot_be_registered(trusting_shop: Shop, transport: str) -> None:
    for request in ({"extensions": apollo_hash(OTHER)}, {"extensions": apollo_hash(OTHER), "query": OTHER}):
        for _ in range(2):
            message, code = error_of(await send_over(transport, trusting_shop, request))
            assert (code, hash_document(OTHER).hex() in message) == ("PERSISTED_QUERY_NOT_IN_LIST", True)


async def test_listed_mutation_and_subscription_run(trusting_shop: Shop) -> None:
    async def mutate(text: str, input_: dict[str, object]) -> Any:
        request = {"documentId": hash_document(text).hex(), "variables": {"input": input_}}
        [result] = (await send_over("POST", trusting_shop, request, by="olivia"))["data"].values()
        return result

    concert = (await mutate(CREATE, concert_input()))["concert"]
    await mutate(PUBLISH, {"concertId": concert["id"]})
    request = {"documentId": hash_document(STOCK).hex(), "variables": {"id": concert["id"]}}
    for transport in ("socket", "event stream"):
        assert await send_over(transport, trusting_shop, request) == {"data": {"stockChanged": {"soldOut": False}}}


async def test_trusted_mutation_over_get_is_answered_with_405(trusting_shop: Shop) -> None:
    refused = await trusting_shop.client.get("/graphql", params={"documentId": hash_document(CREATE).hex()})
    assert (refused.status_code, refused.headers["allow"]) == (405, "POST")


async def test_refusal_has_status_400_and_is_not_stored(trusting_shop: Shop) -> None:
    for request in ({"query": OTHER}, {"extensions": apollo_hash(OTHER)}):
        refused = await trusting_shop.client.post("/graphql", json=request, headers={"Accept": GRAPHQL})
        assert (refused.status_code, refused.headers["cache-control"]) == (400, "no-store")
