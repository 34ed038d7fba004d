"""Floods of frames that are not messages: they must not fill the server's memory."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from starlette.middleware import Middleware
from websockets.frames import Frame as ParsedFrame

from proofs.fuzz.sockets import PING, TEXT, Frame
from tests.support.neighbors import Neighbor, subscribed_neighbor, traced_memory
from tests.support.raw_sockets import CONTINUATION, PONG, SlowUpgrades, raw_client, text
from tests.support.sockets import PATIENT, Sockets, sockets, subscription

pytestmark = pytest.mark.asyncio(loop_scope="module")

PARTS = 50
"""More than enough thousands of pings to fill the system's buffers with pongs."""

HASTE = pytest.mark.parametrize("is_hasty", [False, True], ids=["patient", "hasty"])
"""A hasty client sends frames before the upgrade is answered, and must be served no worse."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server() -> AsyncIterator[Sockets]:
    async with sockets(PATIENT, middleware=[Middleware(SlowUpgrades)]) as made:
        yield made


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def neighbor(server: Sockets) -> AsyncIterator[Neighbor]:
    async with server.signed_in() as client:
        yield await subscribed_neighbor(server, client)


async def test_pongs_do_not_pile_up_for_a_client_that_reads_none(server: Sockets, neighbor: Neighbor) -> None:
    """Once the buffers are full, only the newest ping is answered, as RFC 6455 allows."""
    some = Frame(PING, b"x" * 125).encode() * 1_000
    async with raw_client(server.url, has_small_buffer=True) as stuck:
        for _ in range(PARTS):
            await stuck.send(some)
        await stuck.send(Frame(PING, b"newest"), text(subscription("read")))
        await server.runner.wait_for_subscriptions(2)
        await neighbor.check("after")
        received = await stuck.receive_until(b"newest")
    assert received.startswith(b"\x8a\x7d" + b"x" * 125)
    assert len(received) < PARTS * 1_000 * len(b"\x8a\x7d" + b"x" * 125)


@HASTE
async def test_empty_fragments_cost_no_memory(server: Sockets, neighbor: Neighbor, *, is_hasty: bool) -> None:
    some = Frame(CONTINUATION, b"", is_final=False).encode() * 1_000
    async with raw_client(server.url, is_hasty=is_hasty) as raw:
        await raw.send(Frame(TEXT, b"{", is_final=False))
        with traced_memory() as added:
            for _ in range(10):
                await raw.send(some)
            await raw.send(Frame(PING, b"read"))
            frame = await raw.receive_frame()
            assert (frame.opcode, frame.payload) == (PONG, b"read")
        assert added[0] < 40_000
        await neighbor.check("after")


@HASTE
@pytest.mark.parametrize("frame", [Frame(PING, b""), Frame(PONG, b""), Frame(CONTINUATION, b"", is_final=False)])
async def test_frames_that_arrive_together_are_read_in_slices(
    server: Sockets, neighbor: Neighbor, monkeypatch: pytest.MonkeyPatch, *, frame: Frame, is_hasty: bool
) -> None:
    """A segment may contain tens of thousands of frames, and other tasks run between slices."""
    count, size, largest = 0, 0, 0
    parse = ParsedFrame.parse

    def counted(*args: Any, **options: Any) -> Any:
        nonlocal size
        size += 1
        return parse(*args, **options)

    async def watch() -> None:
        nonlocal size, largest
        while True:
            largest, size = max(largest, size), 0
            await asyncio.sleep(0)

    async with raw_client(server.url, is_hasty=is_hasty) as raw:
        await raw.send(Frame(TEXT, b"{", is_final=False))
        monkeypatch.setattr(ParsedFrame, "parse", counted)
        watching = asyncio.create_task(watch())
        await raw.send(frame.encode() * 5_000, Frame(PING, b"last"))
        while (await raw.receive_frame()).payload != b"last":
            count += 1
        await neighbor.check("after")
        watching.cancel()
    assert count == (5_000 if frame.opcode == PING else 0)
    assert largest <= 1_000
