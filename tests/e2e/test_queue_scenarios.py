"""Queue scenarios over sockets and HTTP; tests/integration has those that need neither."""

import asyncio
import random
from collections.abc import Sequence
from contextlib import AsyncExitStack
from typing import Any

import pytest

from schema.ids import concert_argument
from storage.embedded.process import ServerProcess
from tests.support.hot_keys import concert_key, make_due, record_worker_run
from tests.support.queue_users import QueueUsers, open_queue
from tests.support.shop import Answer, Shop
from tests.support.shop_mutations import person_id_of
from tests.support.shop_socket import open_client
from tests.support.sockets import Client
from tests.support.waiting import wait_until
from tests.support.worker_steps import running_workers
from workers.admission import AdmissionWorker
from workers.expiry import ExpiryWorker

pytestmark = pytest.mark.asyncio(loop_scope="module")

ENTRY = "subscription ($id: ID!) { queuePosition(concertId: $id) { number state position } }"
LONG_S = 7_200
"""Entries and calls outlast the tests; a test that needs an entry to end moves its deadline."""
ROOM: dict[str, Any] = {
    "totalActiveUsers": 1,
    "disconnectGraceSeconds": LONG_S,
    "heartbeatTimeoutSeconds": LONG_S,
    "passClaimTimeoutSeconds": LONG_S,
}


async def run_workers(queue: QueueUsers) -> None:
    """Run the queue's workers once, for this queue only."""
    await record_worker_run(queue.shop.stores, (await queue.read_concert()).id)
    for worker in (ExpiryWorker(), AdmissionWorker()):
        await worker.run_for(queue.shop.stores, concert_argument(queue.concert.id))


async def subscribe(stack: AsyncExitStack, queue: QueueUsers, person: str) -> tuple[Client, Answer]:
    """Subscribe to a person's entry; return the person's socket and the first snapshot."""
    client = await stack.enter_async_context(open_client(queue.shop, queue.shop.token(queue.name(person))))
    await client.subscribe("q", ENTRY, id=queue.concert.id)
    return client, (await client.receive())["payload"]["data"]["queuePosition"]


async def subscribe_all(
    stack: AsyncExitStack, queue: QueueUsers, people: Sequence[str]
) -> tuple[list[Client], list[Answer]]:
    opened = await asyncio.gather(*[subscribe(stack, queue, person) for person in people])
    return [client for client, _ in opened], [snapshot for _, snapshot in opened]


async def read_entries(queue: QueueUsers, people: Sequence[str]) -> list[tuple[int, str, int]]:
    entries = await asyncio.gather(*[queue.read_entry(person) for person in people])
    return [(entry["number"], entry["state"], entry["position"]) for entry in entries]


async def wait_for_call(queue: QueueUsers, person: str) -> None:
    async def is_called() -> bool:
        return bool((await queue.read_entry(person))["state"] == "READY")

    await wait_until(is_called, what=f"the call of {person}")


async def absent_people(queue: QueueUsers) -> list[str]:
    """Return the ids of waiting people without a socket; each has a deadline for reconnecting."""
    deadlines = concert_key(await queue.read_concert(), "presence_deadlines")
    found: Any = await queue.shop.stores.script_client.run_command("ZRANGE", deadlines, "0", "-1")
    return [person.decode() for person in found]


async def end_absences(queue: QueueUsers) -> None:
    """Move the deadlines of all absent people into the past."""
    people = await absent_people(queue)
    await make_due(queue.shop.stores, await queue.read_concert(), "presence_deadlines", *people)


def break_connection(client: Client) -> None:
    """Break the connection without a close frame."""
    client.connection.transport.abort()


async def test_repeated_joins_keep_one_entry_per_person(shop: Shop) -> None:
    queue = await open_queue(shop, **ROOM)
    people = [f"p{number}" for number in range(12)]
    joined = await queue.join(*people)

    async def reload(person: str) -> list[Answer]:
        return [entry for _ in range(8) for entry in (*(await queue.join(person)), await queue.read_entry(person))]

    for first, entries in zip(joined, await asyncio.gather(*[reload(person) for person in people]), strict=True):
        assert {(entry["id"], entry["number"], entry["position"]) for entry in entries} == {
            (first["id"], first["number"], first["position"])
        }
    room = await queue.room()
    assert (room["waitingCount"], room["servingNumber"]) == (12, 0)


async def test_reconnected_people_keep_their_entries_and_absent_ones_lose_them(shop: Shop) -> None:
    queue = await open_queue(shop, **ROOM)
    people = [f"p{number}" for number in range(20)]
    back, absent = people[:15], people[15:]
    await queue.join(*people)
    async with AsyncExitStack() as stack:
        clients, snapshots = await subscribe_all(stack, queue, people)
        assert [entry["number"] for entry in snapshots] == list(range(1, 21))
        await run_workers(queue)
        await wait_for_call(queue, "p0")
        claimed = (await queue.result("claimQueuePass", "p0"))["entry"]["pass"]["token"]
        before = await read_entries(queue, people)
        assert before[1:] == [(number, "WAITING", number - 1) for number in range(2, 21)]
        for client in clients:
            break_connection(client)
        _, again = await subscribe_all(stack, queue, back)
        assert [(entry["number"], entry["state"], entry["position"]) for entry in again] == before[:15]
        assert (await queue.read_entry("p0"))["pass"]["token"] == claimed

        async def are_absent() -> bool:
            return set(await absent_people(queue)) == {person_id_of(queue, person) for person in absent}

        await wait_until(are_absent, what="the absence of those who did not reconnect")
        await end_absences(queue)
        await run_workers(queue)
        assert {state for _, state, _ in await read_entries(queue, absent)} == {"EXPIRED"}
        assert await read_entries(queue, back) == before[:15]
        assert (await queue.room())["waitingCount"] == 14


async def test_snapshots_stay_the_same_while_connections_break(shop: Shop, shared_valkey: ServerProcess) -> None:
    """Each person has two devices that lose their connections at random times."""
    queue = await open_queue(shop, **ROOM)
    people, chance = [f"p{number}" for number in range(6)], random.Random(4)
    await queue.join("first", *people)

    async def reconnect_repeatedly(person: str) -> set[tuple[int, str, int]]:
        snapshots: set[tuple[int, str, int]] = set()
        for _ in range(6):
            async with AsyncExitStack() as stack:
                client, snapshot = await subscribe(stack, queue, person)
                snapshots.add((snapshot["number"], snapshot["state"], snapshot["position"]))
                for _ in range(chance.randrange(3)):
                    await queue.read_entry(person)  # spreads the losses over time
                if chance.random() < 0.7:
                    break_connection(client)
        return snapshots

    async with running_workers(shop.stores, shared_valkey.url, "expiry", "admission"), AsyncExitStack() as stack:
        await subscribe(stack, queue, "first")
        await wait_for_call(queue, "first")
        expected = {person: (number, "WAITING", number - 1) for number, person in enumerate(people, 2)}
        seen = await asyncio.gather(*[reconnect_repeatedly(person) for person in people * 2])
        assert seen == [{expected[person]} for person in people * 2]
        await subscribe_all(stack, queue, people)
        assert await read_entries(queue, people) == list(expected.values())
