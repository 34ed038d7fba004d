"""Sockets on uvloop, as on a server: its transports buffer, pause and close in their own way.

The other tests of sockets run on asyncio's loop.
"""

import asyncio
import logging
from collections.abc import Coroutine
from contextlib import AsyncExitStack

import orjson
import pytest
import uvloop

from proofs.fuzz.sockets import CLOSE, PING, TEXT, Frame
from subscriptions.interfaces import Rendered
from tests.support.neighbors import subscribed_neighbor
from tests.support.raw_sockets import PONG, fragments, raw_client, raw_socket, text, upgrade_request
from tests.support.sockets import ACK, INIT, PATIENT, shown, sockets, subscription
from tests.support.waiting import wait_until

BIG = b"x" * 100_000


def run(scenario: Coroutine[object, object, None]) -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(scenario)


def test_frames_are_exact_in_both_directions() -> None:
    async def scenario() -> None:
        async with sockets(PATIENT) as server, raw_client(server.url) as raw:
            await raw.send(text(subscription("s")))
            [fake] = await server.runner.wait_for_subscriptions(1)
            for size in (80, 125, 126, 65_535, 65_536, 1_000_000):
                value = "x" * (size - len(orjson.dumps(shown("s", ""))))
                fake.show(value)
                frame = await raw.receive_frame()
                assert frame.payload == orjson.dumps(shown("s", value))
                assert len(frame.head) == (2 if size < 126 else 4 if size < 65_536 else 10)
            message = b'{"type":"ping","payload":{"text":"\xe2\x82\xac"}}'
            for cut in range(len(message)):
                await raw.send(*fragments(message, cut), Frame(PING, b"!"))
                received = {frame.opcode: frame.payload for frame in [await raw.receive_frame() for _ in range(2)]}
                assert received == {TEXT: message.replace(b"ping", b"pong"), PONG: b"!"}
            await raw.send(Frame(CLOSE, b"\x03\xe8"))
            assert await raw.closed() == (1000, "")

    run(scenario())


def test_frames_sent_before_the_answer_to_the_upgrade_are_read() -> None:
    async def scenario() -> None:
        async with sockets(PATIENT) as server, raw_socket(server.url) as hasty:
            request = upgrade_request(server.url)
            await hasty.send(request[:9])
            for part in (request[9:], text(INIT), text(subscription("q", "query"))):
                for _ in range(10):
                    await asyncio.sleep(0)
                await hasty.send(part)
            await hasty.upgraded()
            assert await hasty.receive() == ACK
            assert [(await hasty.receive())["type"] for _ in range(2)] == ["next", "complete"]

    run(scenario())


def test_slow_reader_skips_to_the_newest_value() -> None:
    async def scenario() -> None:
        async with sockets(PATIENT) as server, server.signed_in() as client:
            neighbor = await subscribed_neighbor(server, client)
            async with raw_client(server.url, has_small_buffer=True) as slow:
                await slow.send(text(subscription("s")))
                fake = (await server.runner.wait_for_subscriptions(2))[1]
                for number in range(200):
                    fake.deliver(Rendered(b'{"data":{"value":[%d,"%s"]}}' % (number, BIG)))
                    await neighbor.check(number)
                seen = [(await slow.receive())["payload"]["data"]["value"][0]]
                while seen[-1] != 199:
                    seen.append((await slow.receive())["payload"]["data"]["value"][0])
                assert seen == sorted(set(seen))
                assert len(seen) < 150
                fake.show("after")
                assert await slow.receive() == shown("s", "after")

    run(scenario())


def test_clients_that_vanish_during_a_fan_out_disturb_no_other(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        async with sockets(PATIENT) as server, server.signed_in() as client, AsyncExitStack() as stack:
            neighbor = await subscribed_neighbor(server, client)
            clients = [await stack.enter_async_context(raw_client(server.url)) for _ in range(40)]
            for one in clients:
                await one.send(text(subscription("s")))
            fakes = (await server.runner.wait_for_subscriptions(41))[1:]
            for one in clients[::2]:
                one.reset()
            for number in range(10):
                rendered = Rendered(orjson.dumps({"data": {"value": number}}))
                for fake in fakes:
                    fake.deliver(rendered)
                await neighbor.check(number)
            for one in clients[1::2]:
                assert [await one.receive() for _ in range(10)] == [shown("s", number) for number in range(10)]
            await wait_until(lambda: server.capacity.total == 21, what="the end of the vanished sockets")

    run(scenario())
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING] == []


def test_restart_closes_sockets_that_read_and_sockets_that_do_not() -> None:
    async def scenario() -> None:
        async with AsyncExitStack() as stack:
            async with sockets(PATIENT) as server:
                reading = [await stack.enter_async_context(raw_client(server.url)) for _ in range(5)]
                stuck = await stack.enter_async_context(raw_client(server.url, has_small_buffer=True))
                for one in [*reading, stuck]:
                    await one.send(text(subscription("s")))
                fakes = await server.runner.wait_for_subscriptions(6)
                for fake in fakes:
                    for number in range(50):
                        fake.deliver(Rendered(b'{"data":{"value":[%d,"%s"]}}' % (number, BIG)))
                ends = [asyncio.create_task(one.closed()) for one in reading]
            assert {await end for end in ends} == {(1012, "This server is restarting; reconnect")}
            assert (server.runner.open, server.capacity.total) == ([], 0)

    run(scenario())
