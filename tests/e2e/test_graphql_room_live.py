"""A waiting room pushed to those who run it: a whole room first, then whatever changes, and to nobody else."""

import asyncio

import pytest

from tests.support.room_admin import open_room_admin
from tests.support.shop import Answer, Shop
from tests.support.shop_socket import open_client
from tests.support.sockets import Client

pytestmark = pytest.mark.asyncio(loop_scope="module")

WATCH = """subscription ($id: ID!) {
  waitingRoomChanged(concertId: $id) {
    status totalActiveUsers settingsVersion round servingNumber waitingCount slotsTaken version
    flow { joined called left inflow outflow occupancy }
    audit(first: 1) { nodes { action } }
  }
}"""


async def until(client: Client, **expected: object) -> Answer:
    """The first room that has these fields; versions never fall."""
    version = 0
    async with asyncio.timeout(5):
        while True:
            heard = await client.hear()
            assert heard["type"] == "next", heard
            assert "errors" not in heard["payload"], heard
            room = heard["payload"]["data"]["waitingRoomChanged"]
            assert room["version"] >= version
            version = room["version"]
            if {name: room[name] for name in expected} == expected:
                return room


async def test_organizers_see_a_room_move(shop: Shop) -> None:
    office, queue = await open_room_admin(shop, totalActiveUsers=1)
    async with open_client(shop, shop.token("olivia")) as client:
        await client.subscribe("r", WATCH, id=office.concert.id)
        first = await until(client, status="OPEN", waitingCount=0)
        assert (first["settingsVersion"], first["round"], first["audit"]) == (1, 1, {"nodes": []})
        await queue.join("ann", "ben")
        room = await until(client, waitingCount=2)
        assert room["flow"] == {"joined": 2, "called": 0, "left": 0, "inflow": 2, "outflow": 0, "occupancy": 0}
        await queue.call()
        room = await until(client, waitingCount=1, slotsTaken=1)
        assert (room["servingNumber"], room["flow"]["outflow"], room["flow"]["occupancy"]) == (1, 1, 1)
        await office.configure(totalActiveUsers=7)
        room = await until(client, totalActiveUsers=7)
        assert (room["settingsVersion"], room["audit"]) == (2, {"nodes": [{"action": "CONFIGURED"}]})
        await office.pause()
        await until(client, status="PAUSED", settingsVersion=3)
        await office.reset()
        room = await until(client, round=2, waitingCount=0, slotsTaken=1, servingNumber=0)
        assert room["flow"]["joined"] == 0


@pytest.mark.parametrize(("by", "code"), [(None, "UNAUTHENTICATED"), ("alice", "FORBIDDEN")])
async def test_nobody_else_watches_a_room(shop: Shop, by: str | None, code: str) -> None:
    office, _ = await open_room_admin(shop)
    async with open_client(shop, shop.token(by) if by else None) as client:
        await client.subscribe("r", WATCH, id=office.concert.id)
        heard = await client.hear()
        assert (heard["type"], [error["extensions"]["code"] for error in heard["payload"]]) == ("error", [code])


async def test_a_room_that_is_not_there_cannot_be_watched(shop: Shop) -> None:
    draft = await shop.draft()
    async with open_client(shop, shop.token("olivia")) as client:
        for id_, code in (("Q29uY2VydDp6enp6enp6enp6eno", "NOT_FOUND"), (draft.id, "NOT_ON_SALE")):
            await client.subscribe("r", WATCH, id=id_)
            heard = await client.hear()
            assert (heard["type"], heard["payload"][0]["extensions"]["code"]) == ("error", code)
