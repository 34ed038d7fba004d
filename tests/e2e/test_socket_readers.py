"""Readers of every speed: a slow one skips to the newest state, delays nobody, and is let go in the end."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from websockets.exceptions import ConnectionClosed

from subscriptions.sockets.limits import Limits
from tests.support.sockets import Client, FakeSubscription, Heard, Sockets, shown, sockets
from tests.support.waiting import wait_until

BIG = "x" * 200_000


@asynccontextmanager
async def reluctant(server: Sockets) -> AsyncIterator[Client]:
    """Takes one message, and reads no further ones from its connection while nobody hears them."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as small:
        small.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        host, port = server.url.split("/")[2].split(":")
        small.setblocking(False)
        await asyncio.get_running_loop().sock_connect(small, (host, int(port)))
        async with server.signed_in(sock=small, max_queue=1, max_size=None) as client:
            yield client


async def test_a_slow_reader_gets_the_newest_state_and_delays_nobody() -> None:
    async with sockets() as server, reluctant(server) as slow, server.signed_in() as quick:
        await slow.subscribe("slow")
        [big] = await server.behind.wait_for_subscriptions(1)
        await quick.subscribe("quick")
        small = (await server.behind.wait_for_subscriptions(2))[1]
        for number in range(200):
            big.show([number, BIG])
            small.show(number)
            assert await quick.hear() == shown("quick", number)
        big.show("newest")
        seen: list[Heard] = []
        while not seen or seen[-1] != "newest":
            heard = (await slow.hear())["payload"]["data"]["value"]
            seen.append(heard if heard == "newest" else heard[0])
        numbers = seen[:-1]
        assert numbers == sorted(set(numbers))
        assert len(numbers) < 100


async def test_states_of_different_things_do_not_replace_each_other() -> None:
    async with sockets() as server, reluctant(server) as slow:
        await slow.subscribe("s")
        [watched] = await server.behind.wait_for_subscriptions(1)
        for number in range(60):
            watched.show([number, BIG], key="big")
        for number in range(30):
            watched.show([number, "a"], key="a")
            watched.show([number, "b"], key="b")
            await asyncio.sleep(0)
        watched.show("end", is_last=True)
        last: dict[str, int] = {}
        while (heard := await slow.hear())["type"] == "next":
            value = heard["payload"]["data"]["value"]
            if value != "end":
                last[value[1][:1]] = value[0]
        assert last == {"x": 59, "a": 29, "b": 29}


async def test_whoever_reads_nothing_is_let_go() -> None:
    async with sockets(Limits(drain_wait_s=0.3)) as server, server.signed_in() as quick:
        await quick.subscribe("quick")
        [small] = await server.behind.wait_for_subscriptions(1)
        async with reluctant(server) as stuck:
            await stuck.subscribe("stuck")
            big = (await server.behind.wait_for_subscriptions(2))[1]
            await _until_closed(big)
            await wait_until(lambda: server.capacity.total == 1, what="its place for somebody else")
            small.show(1)
            assert await quick.hear() == shown("quick", 1)
            code = await _close_code(stuck)
        assert code == 1013


async def test_whoever_asks_and_does_not_listen_is_not_read_any_further() -> None:
    async with sockets(Limits(messages_burst=100_000)) as server, reluctant(server) as stuck:
        asking = asyncio.create_task(_ask_for_ever(stuck))
        try:
            await wait_until(lambda: len(server.behind.requests) > 5, what="the first questions")
            before = -1
            while before != len(server.behind.requests):
                before = len(server.behind.requests)
                await asyncio.wait([asking], timeout=0.2)
        finally:
            asking.cancel()
            await asyncio.wait([asking])
            stuck.connection.transport.abort()
        assert len(server.behind.requests) < 120
        assert server.behind.finished == len(server.behind.requests)


async def _ask_for_ever(client: Client) -> None:
    for number in range(100_000):
        await client.subscribe(str(number), "query", text="x" * 50_000)


async def _until_closed(watched: FakeSubscription) -> None:
    def show() -> bool:
        watched.show(BIG * 5)
        return watched.is_closed

    await wait_until(show, what="the end of a reader that reads nothing")


async def _close_code(client: Client) -> int | None:
    try:
        while True:
            await client.hear()
    except ConnectionClosed as closed:
        return closed.rcvd.code if closed.rcvd else None
