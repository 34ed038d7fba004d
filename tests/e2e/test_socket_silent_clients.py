"""Clients that vanish without a word, as phones in a tunnel do, are found by pings."""

from contextlib import AsyncExitStack

from subscriptions.interfaces import Rendered
from subscriptions.sockets.limits import Limits
from tests.support.loop_clock import LoopClock
from tests.support.neighbors import subscribed_neighbor
from tests.support.raw_sockets import raw_client, text
from tests.support.sockets import answer_pings, sockets, subscription
from tests.support.waiting import wait_until

LIMITS = Limits(ping_after_s=100, pong_wait_s=50, init_wait_s=3_600, drain_wait_s=3_600)
LONGER_THAN_A_CLOSE_S = 10


async def test_silent_clients_are_closed_and_the_neighbor_is_not() -> None:
    """Some still have room for a ping; the others have not read anything for a long time."""
    clock = LoopClock()
    async with sockets(LIMITS) as server, server.signed_in() as client, AsyncExitStack() as stack:
        neighbor = await subscribed_neighbor(server, client)
        silent = [await stack.enter_async_context(raw_client(server.url)) for _ in range(30)]
        full = [await stack.enter_async_context(raw_client(server.url, has_small_buffer=True)) for _ in range(10)]
        for one in silent:
            await one.send(text(subscription("s")))
        for one in full:
            await one.send(text(subscription("s", "subscription full")))
        started = await server.runner.wait_for_subscriptions(41)
        for number in range(30):
            for fake in [fake for fake in started if fake.document == "subscription full"]:
                fake.deliver(Rendered(b'{"data":{"value":"%s"}}' % (b"x" * 200_000)))
            await neighbor.check(number)
        clock.advance(LIMITS.ping_after_s)
        await answer_pings(client)
        await client.send({"type": "ping"})
        assert await client.receive() == {"type": "pong"}
        clock.advance(LIMITS.pong_wait_s)
        assert {await one.closed() for one in silent} == {(1001, "The client did not answer a ping")}
        clock.advance(LONGER_THAN_A_CLOSE_S)
        await wait_until(lambda: server.capacity.total == 1, what="the end of the silent sockets")
        assert server.runner.open == [neighbor.fake]
        await neighbor.check("after")
