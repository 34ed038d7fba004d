"""When a sale closes, queue subscriptions complete, and a called person gets no pass."""

import pytest

from tests.support.queue_users import open_queue
from tests.support.shop import Shop
from tests.support.shop_socket import open_client
from tests.support.sockets import completed

pytestmark = pytest.mark.asyncio(loop_scope="module")

POSITION = """subscription ($id: ID!) {
  queuePosition(concertId: $id) { state endReason }
}"""
CLOSE = "mutation ($input: CloseConcertInput!) { closeConcert(input: $input) { __typename } }"


async def test_closing_a_sale_completes_every_queue_subscription(shop: Shop) -> None:
    queue = await open_queue(shop, totalActiveUsers=1)
    await queue.join("ann", "ben")
    await queue.call()
    async with (
        open_client(shop, shop.token(queue.name("ann"))) as ann,
        open_client(shop, shop.token(queue.name("ben"))) as ben,
    ):
        for client, state in ((ann, "READY"), (ben, "WAITING")):
            await client.subscribe("q", POSITION, id=queue.concert.id)
            assert (await client.receive())["payload"]["data"]["queuePosition"]["state"] == state
        await shop.fields(CLOSE, by="olivia", input={"concertId": queue.concert.id})
        for client in (ann, ben):
            received = [await client.receive() for _ in range(2)]
            while received[-1] != completed("q"):
                received.append(await client.receive())
            assert received[-2]["payload"]["data"]["queuePosition"] == {
                "state": "EXPIRED",
                "endReason": "SALE_OVER",
            }
    refused = await queue.result("claimQueuePass", "ann")
    assert (refused["__typename"], refused["code"]) == ("NotInQueueError", "NOT_IN_QUEUE")
