"""Clients that read nothing, read too slowly or vanish: the server's memory stays bounded, and the
neighbors get every value.
"""

import contextlib
import logging
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from urllib.parse import urlsplit

import orjson
import pytest
import pytest_asyncio

from subscriptions.interfaces import Rendered
from subscriptions.sockets.limits import Limits
from tests.support.neighbors import Neighbor, subscribed_neighbor, traced_memory
from tests.support.raw_sockets import raw_client, text
from tests.support.sockets import Sockets, shown, sockets, subscription
from tests.support.waiting import wait_until

pytestmark = pytest.mark.asyncio(loop_scope="module")

BIG = b"x" * 200_000


@pytest_asyncio.fixture(loop_scope="module")
async def neighbor(patient_server: Sockets) -> AsyncIterator[Neighbor]:
    async with patient_server.signed_in() as client:
        yield await subscribed_neighbor(patient_server, client)


async def test_clients_that_read_nothing_cost_only_a_few_values_each(
    patient_server: Sockets, neighbor: Neighbor
) -> None:
    async with AsyncExitStack() as clients:
        for _ in range(3):
            stuck = await clients.enter_async_context(raw_client(patient_server.url, has_small_buffer=True))
            await stuck.send(text(subscription("s")))
        fakes = (await patient_server.runner.wait_for_subscriptions(4))[1:]
        with traced_memory() as added:
            for number in range(100):
                for fake in fakes:
                    fake.deliver(Rendered(b'{"data":{"value":"%d%s"}}' % (number, BIG)))
                await neighbor.check(number)
        assert added[0] < len(fakes) * 4 * len(BIG)


async def test_client_that_takes_a_byte_at_a_time_is_disconnected() -> None:
    limits = Limits(init_wait_s=3_600, ping_after_s=3_600, drain_wait_s=0.3)
    async with sockets(limits) as server, server.signed_in() as client:
        neighbor = await subscribed_neighbor(server, client)
        async with raw_client(server.url, has_small_buffer=True) as slow:
            await slow.send(text(subscription("s")))
            slow_fake = (await server.runner.wait_for_subscriptions(2))[1]
            number = 0
            while not slow_fake.is_closed:
                number += 1
                slow_fake.show(BIG.decode())
                await neighbor.check(number)
                await slow.receive_byte()
            await wait_until(lambda: server.capacity.total == 1, what="the end of the slow client's socket")


async def test_client_that_takes_a_byte_at_a_time_gets_a_small_value(
    patient_server: Sockets, neighbor: Neighbor
) -> None:
    async with raw_client(patient_server.url, has_small_buffer=True) as slow:
        await slow.send(text(subscription("s")))
        fake = (await patient_server.runner.wait_for_subscriptions(2))[1]
        fake.show("x" * 100)
        expected = orjson.dumps(shown("s", "x" * 100))
        received = b"".join([await slow.receive_byte() for _ in range(len(expected) + 4)])
        assert received == b"\x81\x7e" + len(expected).to_bytes(2, "big") + expected


async def test_clients_that_vanish_during_a_fan_out_leave_nothing(
    patient_server: Sockets, neighbor: Neighbor, caplog: pytest.LogCaptureFixture
) -> None:
    async with AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(raw_client(patient_server.url)) for _ in range(200)]
        for client in clients:
            await client.send(text(subscription("s")))
        fakes = (await patient_server.runner.wait_for_subscriptions(201))[1:]
        for client in clients[::2]:
            client.reset()
        for number in range(10):
            rendered = Rendered(orjson.dumps({"data": {"value": number}}))
            for fake in fakes:
                fake.deliver(rendered)
            await neighbor.check(number)
            if number == 5:
                for client in clients[1::4]:
                    client.reset()
        for client in clients[3::4]:
            assert [await client.receive() for _ in range(10)] == [shown("s", number) for number in range(10)]
        await wait_until(lambda: patient_server.capacity.total == 51, what="the end of the vanished sockets")
        assert len(patient_server.runner.open) == 51
    await wait_until(lambda: patient_server.capacity.total == 1, what="the end of the other sockets")
    await wait_until(lambda: open_sockets(patient_server) == 2, what="closed files")
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING] == []


def open_sockets(server: Sockets) -> int:
    """Return how many open files of this process are connections of the server or to it."""
    port = f":{urlsplit(server.url).port:04X}"
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    listening = "0A"
    links = {f"socket:[{row[9]}]" for row in rows if row[3] != listening and port in row[1] + row[2]}
    return sum(link in links for link in _links_of_open_files())


def _links_of_open_files() -> Iterator[str]:
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(FileNotFoundError):
            yield os.readlink(f"/proc/self/fd/{name}")
