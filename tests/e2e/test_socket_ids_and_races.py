"""Subscriptions with unusual ids, and ids that are completed and used again while values arrive."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count

import orjson
import pytest

from subscriptions.interfaces import Rendered
from tests.support.raw_sockets import RawSocket, raw_client, text
from tests.support.sockets import (
    INIT,
    Message,
    Sockets,
    completed,
    shown,
    subscription,
)
from tests.support.waiting import wait_until

pytestmark = pytest.mark.asyncio(loop_scope="module")

BIG = "x" * 100_000
IDS = [
    '"',
    "\\",
    '\\"',
    '","type":"complete","id":"1',
    "".join(map(chr, range(32))),
    "\x00" * 255,
    '"' * 255,
    "x" * 255,
    "🎫" * 255,
    "\x7f\x80\x9f",
    "\u2028\u2029\ufeff",
    "\u202e\u200d\ufffd\uffff",
    "é",
    "e\u0301",
    " ",
    "1",
    "1.0",
    "-0",
    "null",
    "__proto__",
    "%s%d%%",
    "{id}{0}",
    "next",
]


async def test_one_rendering_reaches_every_id_on_every_socket(patient_server: Sockets) -> None:
    async with patient_server.signed_in() as first, patient_server.signed_in() as second:
        for client in (first, second):
            await client.send(*[subscription(id_) for id_ in IDS])
        fakes = await patient_server.runner.wait_for_subscriptions(2 * len(IDS))
        for value in ("first", "second"):
            rendered = rendering(value)
            for fake in fakes:
                fake.deliver(rendered)
            for client in (first, second):
                assert by_id([await client.receive() for _ in IDS]) == {id_: [shown(id_, value)] for id_ in IDS}
        last = rendering("last", is_last=True)
        for fake in fakes:
            fake.deliver(last)
        for client in (first, second):
            received = by_id([await client.receive() for _ in range(2 * len(IDS))])
            assert received == {id_: [shown(id_, "last"), completed(id_)] for id_ in IDS}


async def test_one_rendering_reaches_ids_of_every_length(patient_server: Sockets) -> None:
    """The header of a frame depends on the length of the id: 125 and 126 bytes need another."""
    ids = ["x" * length for length in range(60, 100)]
    async with patient_server.signed_in() as client:
        await client.send(*[subscription(id_) for id_ in ids])
        rendered = rendering("value")
        for fake in await patient_server.runner.wait_for_subscriptions(len(ids)):
            fake.deliver(rendered)
        assert by_id([await client.receive() for _ in ids]) == {id_: [shown(id_, "value")] for id_ in ids}


async def test_ids_written_differently_in_json_are_the_same(patient_server: Sockets) -> None:
    escaped = orjson.dumps(subscription("?")).replace(b'"?"', b'"\\ud83c\\udfab\\u0031"')
    async with patient_server.signed_in() as client:
        await client.send(escaped.decode(), subscription("🎫1"))
        assert await client.closed() == (4409, "Subscriber for 🎫1 already exists")


async def test_id_of_an_operation_that_is_starting_is_taken(patient_server: Sockets) -> None:
    patient_server.runner.gate.clear()
    async with raw_client(patient_server.url) as raw:
        await raw.send(text(subscription("s")), text(subscription("s", "mutation")))
        assert await raw.closed() == (4409, "Subscriber for s already exists")
        patient_server.runner.gate.set()


async def test_no_value_of_a_completed_operation_is_sent(patient_server: Sockets) -> None:
    """A pong shows that the server has read what was sent before the ping."""
    async with patient_server.signed_in() as client, pushing(patient_server):
        for number in range(30):
            await client.subscribe("s", f"subscription {number}")
            while (await client.receive())["type"] != "next":
                pass
            await client.send(completed("s"), {"type": "ping"})
            while (await client.receive())["type"] != "pong":
                pass
            await client.subscribe("fence", "query")
            assert [(await client.receive())["id"] for _ in range(2)] == ["fence", "fence"]


async def test_reused_id_never_gets_a_value_of_its_earlier_operation(patient_server: Sockets) -> None:
    async with raw_client(patient_server.url) as raw, pushing(patient_server):
        await raw.send(text(subscription("s", "subscription 0")))
        for number in range(1, 40):
            await raw.send(text(completed("s")), text(subscription("s", f"subscription {number}")))
            assert await values_until(raw, number) <= {number - 1}
            assert [fake.document for fake in patient_server.runner.open] == [f"subscription {number}"]


async def test_id_reused_by_a_slow_reader_gets_only_new_values(patient_server: Sockets) -> None:
    async with raw_client(patient_server.url, has_small_buffer=True) as slow, patient_server.signed_in() as neighbor:
        await slow.send(text(subscription("s", "subscription 0")))
        [old] = await patient_server.runner.wait_for_subscriptions(1)
        for _ in range(100):
            old.show([0, BIG])
            await asyncio.sleep(0)
        await slow.send(text(completed("s")), text(subscription("s", "subscription 1")))
        await wait_until(lambda: old.is_closed, what="the end of the first operation")
        [new] = await patient_server.runner.wait_for_subscriptions(1)
        for number in range(100):
            new.show([1, number])
        old.show([0, "late"])
        await neighbor.send({"type": "ping"})
        assert await neighbor.receive() == {"type": "pong"}
        seen = [(await slow.receive())["payload"]["data"]["value"]]
        while seen[-1] != [1, 99]:
            seen.append((await slow.receive())["payload"]["data"]["value"])
        operations = [operation for operation, _ in seen]
        assert operations == sorted(operations)
        assert [0, "late"] not in seen
        assert len(seen) < 100


@pytest.mark.parametrize("turns", range(6))
async def test_client_and_server_may_complete_an_operation_at_once(patient_server: Sockets, turns: int) -> None:
    async with raw_client(patient_server.url) as raw:
        for number in range(5):
            await raw.send(text(subscription("s", f"subscription {number}")))
            [fake] = await patient_server.runner.wait_for_subscriptions(1)
            await raw.send(text(completed("s")), text(completed("s")), text(subscription("t", "query")))
            for _ in range(turns):
                await asyncio.sleep(0)
            fake.show("last", is_last=True)
            received = [await raw.receive()]
            while received[-1] != completed("t"):
                received.append(await raw.receive())
            own = [message for message in received if message["id"] == "s"]
            assert own in ([], [shown("s", "last"), completed("s")])


async def test_messages_in_one_segment_wait_for_the_check_of_the_token(patient_server: Sockets) -> None:
    """The client need not wait for connection_ack if it sends everything in order."""
    async with raw_client(patient_server.url) as other, patient_server.client() as client:
        messages = [INIT | {"payload": {"Authorization": "Bearer alice/s1"}}, subscription("a", "query")]
        for message in [*messages, subscription("b", "query")]:
            client.connection.protocol.send_text(orjson.dumps(message))
        client.connection.transport.write(b"".join(client.connection.protocol.data_to_send()))
        assert (await client.receive())["type"] == "connection_ack"
        assert {(await client.receive())["id"] for _ in range(4)} == {"a", "b"}
        assert [caller.person_id for caller in patient_server.runner.callers[-2:] if caller] == ["alice", "alice"]
        await other.send(text({"type": "ping"}))
        assert await other.receive() == {"type": "pong"}


def rendering(value: object, *, is_last: bool = False) -> Rendered:
    return Rendered(orjson.dumps({"data": {"value": value}}), is_last)


def by_id(received: list[Message]) -> dict[str, list[Message]]:
    """Return the messages of each id in the order of their arrival."""
    found: dict[str, list[Message]] = {}
    for message in received:
        found.setdefault(message["id"], []).append(message)
    return found


@asynccontextmanager
async def pushing(server: Sockets) -> AsyncIterator[None]:
    """Continuously deliver to every subscription the number of its document.

    Those that have ended are included, because a fan-out under way may still contain them.
    """

    async def push() -> None:
        for _ in count():
            for fake in server.runner.started[-3:]:
                fake.show(int(fake.document.split()[1]))
            await asyncio.sleep(0)

    task = asyncio.create_task(push())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


async def values_until(raw: RawSocket, last: int) -> set[int]:
    """Return the values that arrive before `last`."""
    seen = set()
    while (value := (await raw.receive())["payload"]["data"]["value"]) != last:
        seen.add(value)
    return seen
