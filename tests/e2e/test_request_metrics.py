"""The metrics of operations, holds, orders and connections follow what clients do."""

from collections.abc import AsyncIterator

import orjson
import pytest
import pytest_asyncio

from schema import DocumentRules, build_engine, hash_document
from storage.embedded.process import ServerProcess
from telemetry import metrics
from tests.support.counted import counted
from tests.support.databases import DatabasePool
from tests.support.events import events
from tests.support.shop import Shop
from tests.support.shop_socket import open_client
from tests.support.sockets import Sockets
from tests.support.store_servers import open_shop
from tests.support.transports import TRANSPORTS, send_over
from tests.support.waiting import wait_until

pytestmark = pytest.mark.asyncio(loop_scope="module")

LISTED = "query ServerTime { serverTime } query Failing($n: Int!) { concerts(first: $n) { nodes { id } } }"
UNNAMED = "{ serverTime }"
STOCK = "subscription Stock($id: ID!) { stockChanged(concertId: $id) { version } }"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def listing_shop(
    shared_valkey: ServerProcess, databases: DatabasePool, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Shop]:
    """A shop that lists some documents, and accepts all others too."""
    file = tmp_path_factory.mktemp("listed") / "list.json"
    file.write_bytes(orjson.dumps({hash_document(text).hex(): text for text in (LISTED, UNNAMED, STOCK)}))
    async with open_shop(shared_valkey, databases, engine=build_engine(DocumentRules(shop_file=file))) as made:
        yield made


def listed(text: str, **rest: object) -> dict[str, object]:
    return {"documentId": hash_document(text).hex(), **rest}


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_operation_of_a_listed_document_is_counted_by_name(listing_shop: Shop, transport: str) -> None:
    with counted(metrics.requests) as requests:
        await send_over(transport, listing_shop, listed(LISTED, operationName="ServerTime"))
    assert requests.by_labels == {("ServerTime", "ok"): 1}


@pytest.mark.parametrize(
    ("request_", "result"),
    [
        ({"query": "query Mine { serverTime }"}, "ok"),
        ({"query": LISTED, "operationName": "ServerTime"}, "ok"),
        (listed(UNNAMED), "ok"),
        ({"query": "{ nothing }"}, "rejected"),
        (listed(LISTED, operationName="None"), "rejected"),
        ({"documentId": "f" * 64}, "rejected"),
    ],
    ids=["unlisted", "without its hash", "without a name", "invalid", "unknown name", "unknown hash"],
)
async def test_other_operations_share_one_name(listing_shop: Shop, request_: dict[str, object], result: str) -> None:
    with counted(metrics.requests) as requests:
        await send_over("POST", listing_shop, request_)
    assert requests.by_labels == {("other", result): 1}


async def test_error_that_a_query_meets_counts_as_failed(listing_shop: Shop) -> None:
    with counted(metrics.requests) as requests:
        answer = await send_over("POST", listing_shop, listed(LISTED, operationName="Failing", variables={"n": -1}))
    assert "errors" in answer
    assert requests.by_labels == {("Failing", "failed"): 1}


async def test_holds_and_orders_are_counted_by_their_outcome(shop: Shop) -> None:
    concert = await shop.on_sale()
    with counted(metrics.holds) as holds, counted(metrics.requests) as requests, counted(metrics.orders) as orders:
        held = await shop.hold(concert, 1)
        await shop.hold(concert, 1_000)
        await shop.buy({"holdId": held["hold"]["id"]})
    assert holds.by_labels == {("HOLD",): 1, ("ORDER_LIMIT",): 1}
    assert requests.by_labels == {("other", "ok"): 2, ("other", "refused"): 1}
    assert orders.by_labels == {("PAID",): 1}


async def test_subscription_is_counted_when_it_starts(listing_shop: Shop) -> None:
    with counted(metrics.requests) as requests, counted(metrics.messages_sent) as messages:
        concert = await listing_shop.on_sale()
        made = dict(requests.by_labels)
        async with open_client(listing_shop) as client:
            await client.send({"type": "subscribe", "id": "1", "payload": listed(STOCK, variables={"id": concert.id})})
            assert (await client.receive())["type"] == "next"
    assert requests.by_labels == {**made, ("Stock", "ok"): 1}
    assert messages.total >= 1


async def test_socket_counts_as_open_until_its_end_with_the_reason(patient_server: Sockets) -> None:
    with counted(metrics.sockets_opened) as opened, counted(metrics.sockets_ended) as ended:
        async with patient_server.signed_in(), patient_server.signed_in() as bad:
            assert (opened.total, ended.total) == (2, 0)
            await bad.send({"type": "nonsense"})
            assert (await bad.closed())[0] == 4400
            assert ended.by_labels == {("BAD_REQUEST",): 1}
        await wait_until(lambda: ended.total == 2, what="the end of the other socket")
    assert ended.by_labels == {("BAD_REQUEST",): 1, ("LEFT",): 1}


async def test_event_stream_counts_as_open_until_its_end(shop: Shop) -> None:
    concert = await shop.on_sale()
    request = {"query": STOCK, "variables": {"id": concert.id}}
    headers = {"Accept": "text/event-stream"}
    with counted(metrics.streams_opened) as opened, counted(metrics.streams_ended) as ended:
        async with events(shop.client, "POST", "/graphql", json=request, headers=headers) as stream:
            await stream.receive()
            assert (opened.total, ended.total) == (1, 0)
        await wait_until(lambda: ended.total == 1, what="the end of the stream")
