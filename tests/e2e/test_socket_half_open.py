"""Half-open sockets are closed when a new socket comes from a person or an address at the limit."""

from subscriptions.sockets.limits import Limits
from tests.support.loop_clock import LoopClock
from tests.support.sockets import ACK, INIT, answer_pings, sockets
from tests.support.waiting import wait_until

SILENT = (1013, "Another connection needs the place of this one, which did not answer")


async def test_persons_silent_socket_makes_room_for_their_new_one() -> None:
    clock = LoopClock()
    limits = Limits(streams_per_person=2, probe_wait_s=3_600, ping_after_s=7_200, init_wait_s=7_200)
    async with sockets(limits) as server:
        async with server.signed_in("alice") as silent, server.signed_in("alice") as kept, server.client() as late:
            await late.send(INIT | {"payload": {"Authorization": "Bearer alice"}})
            await answer_pings(kept)
            await kept.send({"type": "ping"})
            assert await kept.receive() == {"type": "pong"}
            clock.advance(3_600)
            assert await late.receive() == ACK
            assert await silent.closed() == SILENT
            await kept.send({"type": "ping"})
            assert await kept.receive() == {"type": "pong"}
        await wait_until(lambda: server.capacity.total == 0)


async def test_phone_may_reconnect_as_often_as_it_likes() -> None:
    """Twenty sockets lose their connection, as in a tunnel, without being closed."""
    async with sockets(Limits(probe_wait_s=0.05)) as server:
        left = [server.signed_in("alice") for _ in range(20)]
        clients = [await one.__aenter__() for one in left]
        async with server.signed_in("alice") as back:
            await back.send({"type": "ping"})
            assert await back.receive() == {"type": "pong"}
        assert {await client.closed() for client in clients} == {SILENT}
        for one in left:
            await one.__aexit__(None, None, None)


async def test_silent_socket_makes_room_for_a_new_one_from_its_address() -> None:
    limits = Limits(streams_per_address=1, probe_wait_s=0.05)
    async with sockets(limits) as server, server.signed_in() as silent, server.signed_in():
        assert await silent.closed() == SILENT


async def test_refused_connections_cost_one_ping() -> None:
    """A socket that has answered a ping is not pinged again for each refused connection."""
    async with sockets(Limits(streams_per_person=1, probe_wait_s=60)) as server, server.signed_in("alice") as kept:
        for count in range(3):
            async with server.client() as late:
                await late.send(INIT | {"payload": {"Authorization": "Bearer alice"}})
                if count == 0:
                    await answer_pings(kept)
                assert (await late.closed())[0] == 1013
        await kept.send({"type": "ping"})
        assert await kept.receive() == {"type": "pong"}
