"""A waiting room is pushed to organizers: first the whole room, then each change."""

import asyncio

import pytest

from tests.support.room_admin import open_room_admin
from tests.support.shop import Answer, Shop
from tests.support.shop_mutations import UNKNOWN_CONCERT
from tests.support.shop_socket import open_client
from tests.support.sockets import Client

pytestmark = pytest.mark.asyncio(loop_scope="module")

ROOM_CHANGED = """subscription ($id: ID!) {
  waitingRoomChanged(concertId: $id) {
    status totalActiveUsers settingsVersion round servingNumber waitingCount slotsTaken version
    flow { joined called left inflow outflow occupancy }
  }
}"""


async def room_with(client: Client, **expected: object) -> Answer:
    """Return the first room received with these values; versions never decrease."""
    version = 0
    async with asyncio.timeout(60):
        while True:
            message = await client.receive()
            assert message["type"] == "next", message
            assert "errors" not in message["payload"], message
            room = message["payload"]["data"]["waitingRoomChanged"]
            assert room["version"] >= version
            version = room["version"]
            if {name: room[name] for name in expected} == expected:
                return room


async def test_organizer_receives_each_change_of_a_room(shop: Shop) -> None:
    admin, queue = await open_room_admin(shop, totalActiveUsers=1)
    async with open_client(shop, shop.token("olivia")) as client:
        await client.subscribe("r", ROOM_CHANGED, id=admin.concert.id)
        first = await room_with(client, status="OPEN", waitingCount=0)
        assert (first["settingsVersion"], first["round"]) == (1, 1)
        await queue.join("ann", "ben")
        room = await room_with(client, waitingCount=2)
        assert room["flow"] == {"joined": 2, "called": 0, "left": 0, "inflow": 2, "outflow": 0, "occupancy": 0}
        await queue.call()
        room = await room_with(client, waitingCount=1, slotsTaken=1)
        assert (room["servingNumber"], room["flow"]["outflow"], room["flow"]["occupancy"]) == (1, 1, 1)
        await admin.configure(totalActiveUsers=7)
        room = await room_with(client, totalActiveUsers=7)
        assert room["settingsVersion"] == 2
        await admin.pause()
        await room_with(client, status="PAUSED", settingsVersion=3)
        await admin.reset()
        room = await room_with(client, round=2, waitingCount=0, slotsTaken=1, servingNumber=0)
        assert room["flow"]["joined"] == 0


@pytest.mark.parametrize(("by", "code"), [(None, "UNAUTHENTICATED"), ("alice", "FORBIDDEN")])
async def test_only_organizers_may_subscribe_to_a_room(shop: Shop, by: str | None, code: str) -> None:
    admin, _ = await open_room_admin(shop)
    async with open_client(shop, shop.token(by) if by else None) as client:
        await client.subscribe("r", ROOM_CHANGED, id=admin.concert.id)
        message = await client.receive()
        assert (message["type"], [error["extensions"]["code"] for error in message["payload"]]) == ("error", [code])


async def test_room_of_an_unknown_concert_or_draft_cannot_be_subscribed_to(shop: Shop) -> None:
    draft = await shop.draft()
    async with open_client(shop, shop.token("olivia")) as client:
        for id_, code in ((UNKNOWN_CONCERT, "NOT_FOUND"), (draft.id, "NOT_ON_SALE")):
            await client.subscribe("r", ROOM_CHANGED, id=id_)
            message = await client.receive()
            assert (message["type"], message["payload"][0]["extensions"]["code"]) == ("error", code)
