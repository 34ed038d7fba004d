"""Sockets on a server without our protocol class, where every message goes through ASGI."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import pytest_asyncio

from subscriptions.sockets.limits import Limits
from tests.support.slow_readers import small_buffer_socket
from tests.support.sockets import ACK, INIT, PATIENT, Client, Sockets, completed, shown, sockets, subscription
from tests.support.waiting import wait_until

pytestmark = pytest.mark.asyncio(loop_scope="module")

STOCK: dict[str, Any] = {"ws": "websockets-sansio", "ws_ping_interval": None}
BIG = "x" * 200_000


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server() -> AsyncIterator[Sockets]:
    async with sockets(PATIENT, **STOCK) as made:
        yield made


async def test_init_and_subscribe_may_be_sent_together(server: Sockets) -> None:
    async with server.client() as client:
        await client.send(INIT, subscription("q", "query", n=1))
        assert await client.receive() == ACK
        assert (await client.receive())["payload"] == {"data": {"query": {"n": 1}}}
        assert await client.receive() == completed("q")


async def test_subscription_delivers_until_it_is_complete(server: Sockets) -> None:
    async with server.signed_in("alice") as client:
        await client.subscribe("s")
        [fake] = await server.runner.wait_for_subscriptions(1)
        for value in (1, 2):
            fake.show(value)
            assert await client.receive() == shown("s", value)
        fake.show(3, is_last=True)
        assert [await client.receive(), await client.receive()] == [shown("s", 3), completed("s")]


async def test_answers_arrive_in_order(server: Sockets) -> None:
    async with server.signed_in() as client:
        for number in range(40):
            await client.send({"type": "ping", "payload": {"n": number}})
        received = [(await client.receive())["payload"]["n"] for _ in range(40)]
    assert received == list(range(40))


CLOSED: list[tuple[list[object], int, str]] = [
    ([INIT, b"{}"], 4400, "The message is binary; send text"),
    ([INIT, "[]"], 4400, "The message is not a JSON object"),
    ([INIT, "x" * 70_000], 4400, "The message has more than 65536 bytes"),
    ([subscription("1")], 4401, "Unauthorized; send connection_init and wait for connection_ack"),
    ([INIT | {"payload": {"Authorization": "Bearer expired"}}], 4403, "The access token has expired"),
    ([INIT, subscription("a"), subscription("a")], 4409, "Subscriber for a already exists"),
    ([INIT, INIT], 4429, "Too many initialisation requests"),
]


@pytest.mark.parametrize(("sent", "code", "reason"), CLOSED, ids=[str(code) for _, code, _ in CLOSED])
async def test_socket_is_closed_with_our_codes(server: Sockets, sent: list[object], code: int, reason: str) -> None:
    async with server.client() as client:
        await client.send(*sent)
        closed_with = await client.closed()
        assert (closed_with[0], closed_with[1][: len(reason)]) == (code, reason)
    await wait_until(lambda: server.capacity.total == 0, what="the socket's end")
    assert server.runner.open == []


async def test_slow_reader_skips_to_the_latest_value(server: Sockets) -> None:
    async with slow_client(server) as slow:
        await slow.subscribe("slow")
        [fake] = await server.runner.wait_for_subscriptions(1)
        for number in range(100):
            fake.show([number, BIG])
            await asyncio.sleep(0)
        fake.show("latest")
        seen = [(await slow.receive())["payload"]["data"]["value"]]
        while seen[-1] != "latest":
            seen.append((await slow.receive())["payload"]["data"]["value"])
    numbers = [number for number, _ in seen[:-1]]
    assert numbers == sorted(set(numbers))
    assert len(numbers) < 50


async def test_client_that_reads_nothing_is_disconnected() -> None:
    async with sockets(Limits(drain_wait_s=0.3), **STOCK) as server, slow_client(server) as stuck:
        await stuck.subscribe("s")
        [fake] = await server.runner.wait_for_subscriptions(1)

        def is_closed_after_another_value() -> bool:
            fake.show(BIG * 5)
            return fake.is_closed

        await wait_until(is_closed_after_another_value, what="the disconnection")
        await wait_until(lambda: server.capacity.total == 0, what="the socket's end")
        stuck.connection.transport.abort()


async def test_client_that_sends_no_init_is_closed() -> None:
    async with sockets(Limits(init_wait_s=0.05), **STOCK) as server, server.client() as client:
        assert await client.closed() == (4408, "Connection initialisation timeout")


async def test_closing_a_socket_lets_mutations_finish(server: Sockets) -> None:
    finished, requests = server.runner.finished, len(server.runner.requests)
    server.runner.gate.clear()
    async with server.signed_in() as client:
        await client.subscribe("m", "mutation")
        await wait_until(lambda: len(server.runner.requests) == requests + 1, what="the mutation")
    assert (server.capacity.total, server.runner.finished) == (1, finished)
    server.runner.gate.set()
    await wait_until(lambda: server.capacity.total == 0, what="the socket's end")
    assert server.runner.finished == finished + 1


@asynccontextmanager
async def slow_client(server: Sockets) -> AsyncIterator[Client]:
    """A client that buffers only one message until the test reads it."""
    async with (
        small_buffer_socket(server.url.split("/")[2]) as small,
        server.signed_in(sock=small, max_queue=1, max_size=None) as client,
    ):
        yield client
