"""The scenarios that are about sockets and HTTP; all others are in tests/integration/test_queue_store_scenarios.py."""

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

import pytest

from schema.ids import concert_argument
from tests.support.queue_users import QueueUsers, open_queue
from tests.support.shop import Answer, Shop
from tests.support.shop_socket import open_client
from tests.support.sockets import Client
from tests.support.waiting import wait_until
from workers.admission import AdmissionWorker
from workers.expiry import ExpiryWorker

pytestmark = pytest.mark.asyncio(loop_scope="module")

MINE = "subscription ($id: ID!) { queuePosition(concertId: $id) { number state position } }"


@asynccontextmanager
async def workers_at(queue: QueueUsers) -> AsyncIterator[None]:
    """The two that look after a line, for this one alone."""
    concert_id = concert_argument(queue.concert.id)

    async def work() -> None:
        while True:
            for worker in (ExpiryWorker(), AdmissionWorker()):
                await worker.run_for(queue.shop.stores, concert_id)
            await asyncio.sleep(0.1)

    working = asyncio.create_task(work())
    try:
        yield
    finally:
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)


async def watching(stack: AsyncExitStack, queue: QueueUsers, who: str) -> tuple[Client, Answer]:
    """A socket of theirs, and the snapshot it began with."""
    client = await stack.enter_async_context(open_client(queue.shop, queue.shop.token(queue.name(who))))
    await client.subscribe("q", MINE, id=queue.concert.id)
    return client, (await client.hear())["payload"]["data"]["queuePosition"]


async def all_watch(
    stack: AsyncExitStack, queue: QueueUsers, people: Sequence[str]
) -> tuple[list[Client], list[Answer]]:
    opened = await asyncio.gather(*[watching(stack, queue, who) for who in people])
    return [client for client, _ in opened], [shown for _, shown in opened]


async def where(queue: QueueUsers, people: Sequence[str]) -> list[tuple[int, str, int]]:
    found = await asyncio.gather(*[queue.place(who) for who in people])
    return [(entry["number"], entry["state"], entry["position"]) for entry in found]


def cut(client: Client) -> None:
    """As when a train goes into a tunnel: no close frame."""
    client.connection.transport.abort()


async def test_refresh_storm(shop: Shop) -> None:
    """Everybody reloads again and again: one place each, the same as before, and the line is as long as it was."""
    queue = await open_queue(shop, totalActiveUsers=1)
    people = [f"p{number}" for number in range(12)]
    joined = await queue.join(*people)

    async def reload(who: str) -> list[Answer]:
        return [entry for _ in range(8) for entry in (*(await queue.join(who)), await queue.place(who))]

    for first, shown in zip(joined, await asyncio.gather(*[reload(who) for who in people]), strict=True):
        assert {(entry["id"], entry["number"], entry["position"]) for entry in shown} == {
            (first["id"], first["number"], first["position"])
        }
    room = await queue.room()
    assert (room["waitingCount"], room["servingNumber"]) == (12, 0)


async def test_all_sockets_dropped_at_once(shop: Shop) -> None:
    """Who is back within the grace has lost nothing; who is not moves those behind up."""
    queue = await open_queue(shop, totalActiveUsers=1, disconnectGraceSeconds=3, heartbeatTimeoutSeconds=3)
    people = [f"p{number}" for number in range(20)]
    await queue.join(*people)
    async with workers_at(queue), AsyncExitStack() as stack:
        clients, shown = await all_watch(stack, queue, people)
        assert [entry["number"] for entry in shown] == list(range(1, 21))
        await wait_until(lambda: _is_called(queue), what="the first call")
        claimed = (await queue.result("claimQueuePass", "p0"))["entry"]["pass"]["token"]
        before = await where(queue, people)
        assert before[1:] == [(number, "WAITING", number - 1) for number in range(2, 21)]
        for client in clients:
            cut(client)
        back, away = people[:15], people[15:]
        _, again = await all_watch(stack, queue, back)
        assert [(entry["number"], entry["state"], entry["position"]) for entry in again] == before[:15]
        assert (await queue.place("p0"))["pass"]["token"] == claimed

        async def are_gone() -> bool:
            return {(await queue.place(who))["state"] for who in away} == {"EXPIRED"}

        await wait_until(are_gone, timeout=10, what="the end of those who stayed away")
        assert await where(queue, back) == before[:15]
        assert (await queue.room())["waitingCount"] == 14


async def _is_called(queue: QueueUsers) -> bool:
    return bool((await queue.place("p0"))["state"] == "READY")


async def test_reconnect_churn(shop: Shop) -> None:
    """Two devices each that lose their connections at random: every snapshot has the same place."""
    queue = await open_queue(shop, totalActiveUsers=1, disconnectGraceSeconds=3, heartbeatTimeoutSeconds=3)
    people, chance = [f"p{number}" for number in range(6)], random.Random(4)
    await queue.join("first", *people)

    async def churn(who: str) -> set[tuple[int, str, int]]:
        shown: set[tuple[int, str, int]] = set()
        for _ in range(6):
            async with AsyncExitStack() as stack:
                client, snapshot = await watching(stack, queue, who)
                shown.add((snapshot["number"], snapshot["state"], snapshot["position"]))
                await asyncio.sleep(chance.random() / 20)
                if chance.random() < 0.7:
                    cut(client)
        return shown

    async with workers_at(queue), AsyncExitStack() as stack:
        await watching(stack, queue, "first")
        await wait_until(lambda: _first_is_called(queue), what="the first call")
        expected = {who: (number, "WAITING", number - 1) for number, who in enumerate(people, 2)}
        seen = await asyncio.gather(*[churn(who) for who in people * 2])
        assert [dict.fromkeys(one) for one in seen] == [{expected[who]: None} for who in people * 2]
        await all_watch(stack, queue, people)
        assert await where(queue, people) == list(expected.values())


async def _first_is_called(queue: QueueUsers) -> bool:
    return bool((await queue.place("first"))["state"] == "READY")
