"""After the handshake, a socket's transport is taken over, and the request is forgotten."""

import asyncio
import gc
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest
import pytest_asyncio
import uvloop
from starlette.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.server import ServerProtocol

from subscriptions.sockets.connection import Connection
from subscriptions.sockets.wires.asgi_wire import AsgiWire
from subscriptions.sockets.wires.frame_protocol import FrameProtocol
from subscriptions.sockets.ws_protocol import SocketProtocol
from tests.support.certificates import write_certificate
from tests.support.sockets import ACK, INIT, Sockets, completed, shown, sockets, subscription
from tests.support.waiting import wait_until


@pytest_asyncio.fixture
async def server() -> AsyncIterator[Sockets]:
    async with sockets() as made:
        yield made


@contextmanager
def no_garbage_collection() -> Iterator[None]:
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def count(*types: type) -> int:
    """Return the number of living objects of these types, which clients do not create."""
    return sum(type(found) in types for found in gc.get_objects())


def count_frame_protocols() -> int:
    return sum(issubclass(type(found), FrameProtocol) for found in gc.get_objects())


def test_idle_socket_keeps_nothing_of_its_handshake() -> None:
    """Full garbage collections are rare, so reference counting must free the handshake."""

    async def scenario() -> None:
        async with sockets() as server, server.signed_in("alice") as client:
            await client.subscribe("s")
            [fake] = await server.runner.wait_for_subscriptions(1)
            fake.show(1)
            assert await client.receive() == shown("s", 1)
            found = {type_: count(type_) for type_ in (SocketProtocol, Headers, ServerProtocol, AsgiWire)}
            assert found == {SocketProtocol: 0, Headers: 0, ServerProtocol: 0, AsgiWire: 0}
            assert (count(Connection), count_frame_protocols()) == (1, 1)
            tasks = [task for task in asyncio.all_tasks() if "subscriptions" in repr(task)]
            assert tasks == []

    with no_garbage_collection(), asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(scenario())


@pytest.mark.parametrize("ending", ["client", "server", "violation", "abort"])
async def test_closed_socket_is_freed_without_a_garbage_collection(server: Sockets, ending: str) -> None:
    with no_garbage_collection():
        async with server.signed_in("alice") as client:
            await client.subscribe("s")
            await server.runner.wait_for_subscriptions(1)
            match ending:
                case "server":
                    await client.send("[]")
                case "violation":
                    client.connection.transport.write(b"\xff\xff")
                case "abort":
                    client.connection.transport.abort()
        server.runner.started.clear()
        await wait_until(lambda: count(Connection) + count_frame_protocols() == 0, what="the end of the socket")


async def test_socket_whose_admission_fails_is_cut_off(server: Sockets, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(_address: str | None) -> None:
        raise RuntimeError("an internal error")

    monkeypatch.setattr(server.capacity, "make_room_for_connection", fail)
    async with server.client() as client:
        with pytest.raises(ConnectionClosed):
            await client.connection.recv()
    assert server.capacity.total == 0


async def test_init_and_subscribe_may_come_in_one_segment(server: Sockets) -> None:
    async with server.client() as client:
        protocol = client.connection.protocol
        for message in (INIT, subscription("q", "query", n=1)):
            protocol.send_text(orjson.dumps(message))
        client.connection.transport.write(b"".join(protocol.data_to_send()))
        assert await client.receive() == ACK
        assert (await client.receive())["payload"] == {"data": {"query": {"n": 1}}}
        assert await client.receive() == completed("q")


@pytest.mark.parametrize("loop_factory", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_sockets_over_tls_are_taken_over_too(tmp_path: Path, loop_factory: Any) -> None:
    certificate = write_certificate(tmp_path)
    trusted = ssl.create_default_context(cafile=str(certificate))

    async def scenario() -> None:
        async with sockets(certificate=certificate) as server, server.signed_in("alice", ssl=trusted) as client:
            assert server.url.startswith("wss://")
            assert count(SocketProtocol) == 0
            await client.subscribe("s")
            [fake] = await server.runner.wait_for_subscriptions(1)
            for size in (10, 100_000):
                fake.show("x" * size)
                assert await client.receive() == shown("s", "x" * size)
            await client.send("[]")
            assert (await client.closed())[0] == 4400

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(scenario())
