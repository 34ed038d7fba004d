"""Subscriptions to a past concert send its final state and then complete."""

import logging

import pytest
import pytest_asyncio

from resolvers.history import is_past
from tests.support.events import events
from tests.support.past_concerts import move_into_past, raw_id
from tests.support.shop import Answer, OnSale, Shop
from tests.support.shop_socket import open_client
from tests.support.sockets import completed
from tests.support.waiting import wait_until

pytestmark = pytest.mark.asyncio(loop_scope="module")

STOCK = "subscription ($id: ID!) { stockChanged(concertId: $id) { soldOut epoch tiers { available sold } } }"
QUEUE = """
subscription ($id: ID!) {
  queuePosition(concertId: $id) { state position roomStatus waitingCount stockAhead stock { soldOut } pass { token } }
}
"""
HOLDS = "subscription ($id: ID!) { holdChanged(concertId: $id) { id } }"
ROOM = "subscription ($id: ID!) { waitingRoomChanged(concertId: $id) { status slotsTaken flow { joined } } }"
SOLD_OUT = {"stockChanged": {"soldOut": True, "epoch": 2, "tiers": [{"available": 0, "sold": 3}]}}
"""The payload for buyers: nothing is for sale any more."""
SHOWN = {
    STOCK: {"stockChanged": {"soldOut": False, "epoch": 2, "tiers": [{"available": 7, "sold": 3}]}},
    QUEUE: {
        "queuePosition": {
            "state": None,
            "position": None,
            "roomStatus": "CLOSED",
            "waitingCount": 0,
            "stockAhead": "SOLD_OUT",
            "stock": {"soldOut": True},
            "pass": None,
        }
    },
    HOLDS: None,
    ROOM: {"waitingRoomChanged": {"status": "CLOSED", "slotsTaken": 0, "flow": None}},
}


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def past(shop: Shop) -> OnSale:
    concert = await shop.on_sale(tiers=[{"name": "Only", "priceMinor": 0, "capacity": 10}])
    held = await shop.hold(concert, 3)
    await shop.buy({"holdId": held["hold"]["id"]})
    await move_into_past(shop, concert)

    async def is_known() -> bool:
        known = await shop.stores.concert_cache.get(raw_id(concert))
        return known is not None and is_past(known)

    await wait_until(is_known, what="the cached concert")
    return concert


def expected(document: str) -> list[Answer]:
    shown = SHOWN[document]
    return [] if shown is None else [{"data": shown}]


@pytest.mark.parametrize("document", SHOWN, ids=["stock", "queue", "holds", "room"])
async def test_socket_gets_one_snapshot_of_a_past_concert(
    shop: Shop, past: OnSale, document: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    async with open_client(shop, shop.token("olivia")) as client:
        # The id may be used again after the subscription has completed.
        for _ in range(2):
            await client.subscribe("p", document, id=past.id)
            for payload in expected(document):
                assert await client.receive() == {"id": "p", "type": "next", "payload": payload}
            assert await client.receive() == completed("p")
    # The stores may warn of a slow machine.
    assert [record for record in caplog.records if not record.name.startswith("storage")] == []


@pytest.mark.parametrize("document", SHOWN, ids=["stock", "queue", "holds", "room"])
async def test_stream_gets_one_snapshot_of_a_past_concert(shop: Shop, past: OnSale, document: str) -> None:
    headers = {"Accept": "text/event-stream"} | shop.headers("olivia")
    request = {"query": document, "variables": {"id": past.id}}
    async with events(shop.client, "POST", "/graphql", json=request, headers=headers) as stream:
        for payload in expected(document):
            assert await stream.receive() == ("next", payload)
        assert (await stream.receive())[0] == "complete"


@pytest.mark.parametrize("by", ["alice", "otto"])
async def test_only_the_organizer_is_pushed_the_unsold_tickets(shop: Shop, past: OnSale, by: str) -> None:
    """A push shows the numbers of a query, so that both agree in a client's cache."""
    async with open_client(shop, shop.token(by)) as client:
        await client.subscribe("p", STOCK, id=past.id)
        assert (await client.receive())["payload"] == {"data": SOLD_OUT}
        assert await client.receive() == completed("p")
