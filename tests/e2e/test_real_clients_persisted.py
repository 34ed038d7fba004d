"""Apollo Client, urql, graphql-ws and graphql-sse send hashes instead of documents."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pytest
import pytest_asyncio

from schema import DocumentRules, build_engine, hash_document
from storage.embedded.process import ServerProcess
from tests.support.databases import DatabasePool
from tests.support.node import installed
from tests.support.shop import CREATE, PUBLISH, OnSale, Shop, concert_input
from tests.support.store_servers import open_shop

pytestmark = pytest.mark.asyncio(loop_scope="module")

CLIENTS = Path(__file__).parent / "clients"
TIMEOUT_S = 120.0
STOCK = {"stockChanged": {"soldOut": False, "__typename": "Stock"}}
NOT_IN_QUEUE = {"leaveQueue": {"__typename": "NotInQueueError"}}
SENDS_TEXT_WITH_HASH = "apolloSocket"
"""Apollo's link for graphql-ws sends the text of a document even when it sends the hash."""
METHODS = {
    "apolloPost": ["POST", "POST"],
    "apolloGet": ["GET", "POST"],
    "apolloMutation": ["POST", "POST"],
    "urqlPost": ["POST", "POST"],
    "urqlGet": ["GET", "GET"],
    "urqlMutation": ["POST", "POST"],
    "urqlSocket": ["socket", "socket"],
    "graphqlWs": ["socket", "socket"],
    "graphqlSse": ["POST", "POST"],
}
"""The methods of a run's first two requests: the hash, and then the document with its hash."""
WITH_ID = {"graphqlWsId": "socket", "graphqlSseId": "POST"}
"""Runs that send the `documentId` of a document that an earlier run registered."""


@dataclass(frozen=True, slots=True)
class Printed:
    """One run of an operation: what it received and sent."""

    run: str
    time: int
    received: dict[str, Any]
    sent: list[dict[str, Any]]

    @property
    def methods(self) -> list[str]:
        return [request["method"] for request in self.sent]

    @property
    def texts(self) -> list[str | None]:
        return [request["query"] for request in self.sent]


async def run_clients(shop: Shop, concert: OnSale, name: str) -> list[Printed]:
    directory = await installed(CLIENTS, for_what="the npm clients were not tested")
    url = str(shop.client.base_url.join("/graphql"))
    process = await asyncio.create_subprocess_exec(
        *("node", "persisted.mjs", url, concert.id, shop.token("alice"), name),
        cwd=directory,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        output, _ = await asyncio.wait_for(process.communicate(), TIMEOUT_S)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0
    return [Printed(**orjson.loads(line)) for line in output.splitlines()]


def data_of(run: str, concert: OnSale) -> dict[str, Any]:
    if run.endswith("Mutation"):
        return NOT_IN_QUEUE
    if run.endswith(("Post", "Get")):
        return {"concert": {"id": concert.id, "__typename": "Concert"}}
    return STOCK


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def first_runs(shop: Shop) -> tuple[OnSale, list[Printed]]:
    """The concert, and the runs of documents that the server did not know."""
    concert = await shop.on_sale()
    return concert, await run_clients(shop, concert, "Persisted")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def trusting_shop(
    shared_valkey: ServerProcess,
    databases: DatabasePool,
    first_runs: tuple[OnSale, list[Printed]],
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Shop]:
    """A shop that trusts the documents of the first runs."""
    texts = {text for printed in first_runs[1] for text in printed.texts if text is not None}
    file = tmp_path_factory.mktemp("trusted") / "list.json"
    file.write_bytes(orjson.dumps({hash_document(text).hex(): text for text in {*texts, CREATE, PUBLISH}}))
    engine = build_engine(DocumentRules(trusted_file=file, allows_introspection=False))
    async with open_shop(shared_valkey, databases, engine=engine) as made:
        yield made


async def on_sale_by_hash(shop: Shop) -> OnSale:
    """Create a concert in a shop that runs only trusted documents."""

    async def mutate(text: str, input_: dict[str, object]) -> Any:
        body = {"documentId": hash_document(text).hex(), "variables": {"input": input_}}
        answer = await shop.client.post("/graphql", json=body, headers=shop.headers("olivia"))
        [result] = answer.json()["data"].values()
        return result

    concert = (await mutate(CREATE, concert_input()))["concert"]
    await mutate(PUBLISH, {"concertId": concert["id"]})
    return OnSale(concert["id"], tuple(tier["id"] for tier in concert["tiers"]))


async def test_every_client_receives_its_data(first_runs: tuple[OnSale, list[Printed]]) -> None:
    concert, runs = first_runs
    assert {printed.run for printed in runs} == {*METHODS, *WITH_ID, SENDS_TEXT_WITH_HASH, "urqlStream"}
    for printed in runs:
        assert printed.received == {"data": data_of(printed.run, concert), "codes": [], "failed": None}


async def test_clients_send_an_unknown_document_once_and_then_its_hash(
    first_runs: tuple[OnSale, list[Printed]],
) -> None:
    runs = {(printed.run, printed.time): printed for printed in first_runs[1]}
    for run, methods in METHODS.items():
        assert (run, runs[run, 1].methods) == (run, methods)
        assert [text is None for text in runs[run, 1].texts] == [True, False]
        assert (runs[run, 2].methods, runs[run, 2].texts) == (methods[:1], [None])
    for run, method in WITH_ID.items():
        assert (runs[run, 1].methods, runs[run, 1].texts) == ([method], [None])
    # After an unknown hash, urql sends a subscription twice if its transport ends the first one.
    assert set(runs["urqlStream", 1].texts[1:]) != {None}
    assert runs["urqlStream", 2].texts == [None]


async def test_links_stop_sending_hashes_if_persisted_documents_are_off(
    shared_valkey: ServerProcess, databases: DatabasePool
) -> None:
    engine = build_engine(DocumentRules(persisted_bytes=0))
    async with open_shop(shared_valkey, databases, engine=engine) as shop:
        concert = await shop.on_sale()
        runs = await run_clients(shop, concert, "Off")
    # urql 5 shows the first error of a subscription whose transport ends, although it
    # retries the subscription.
    links = {run for run in METHODS if run.startswith(("apollo", "urql"))} | {SENDS_TEXT_WITH_HASH}
    for printed in (printed for printed in runs if printed.run in links):
        assert printed.received == {"data": data_of(printed.run, concert), "codes": [], "failed": None}
        if printed.time == 2:
            assert None not in printed.texts


async def test_clients_run_trusted_documents_by_hash(trusting_shop: Shop) -> None:
    concert = await on_sale_by_hash(trusting_shop)
    for printed in await run_clients(trusting_shop, concert, "Persisted"):
        assert printed.received == {"data": data_of(printed.run, concert), "codes": [], "failed": None}
        if printed.run != SENDS_TEXT_WITH_HASH:
            assert printed.texts == [None]


async def test_clients_learn_that_a_document_is_not_trusted(trusting_shop: Shop) -> None:
    concert = await on_sale_by_hash(trusting_shop)
    for printed in await run_clients(trusting_shop, concert, "Other"):
        assert printed.received["data"] is None
        assert (printed.run, printed.received["codes"]) == (printed.run, ["PERSISTED_QUERY_NOT_IN_LIST"])
        assert len(printed.sent) == 1
