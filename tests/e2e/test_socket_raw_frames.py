"""Frames on the wire: their headers, the places where they are cut, and violations of RFC 6455."""

import asyncio
import struct
from collections.abc import AsyncIterator, Sequence

import orjson
import pytest
import pytest_asyncio
from starlette.middleware import Middleware

from proofs.fuzz.sockets import BINARY, CLOSE, NO_CODE, PING, TEXT, Frame
from tests.support.raw_sockets import (
    CONTINUATION,
    PONG,
    RawSocket,
    SlowUpgrades,
    close_of,
    fragments,
    raw_client,
    raw_socket,
    text,
    turns_of_the_loop,
    upgrade_request,
)
from tests.support.sockets import ACK, INIT, PATIENT, Client, FakeSubscription, Sockets, shown, sockets, subscription
from tests.support.waiting import wait_until

pytestmark = pytest.mark.asyncio(loop_scope="module")

LARGEST = PATIENT.message_bytes
PING_MESSAGE = '{"type":"ping","payload":{"name":"Zoë 🎫"}}'.encode()
PONG_MESSAGE = PING_MESSAGE.replace(b"ping", b"pong")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server() -> AsyncIterator[Sockets]:
    async with sockets(PATIENT, middleware=[Middleware(SlowUpgrades)]) as made:
        yield made


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def neighbor(server: Sockets) -> AsyncIterator[Client]:
    """A client on the same server, subscribed for the whole module."""
    async with server.signed_in() as client:
        await client.subscribe("neighbor", "subscription neighbor")
        await server.runner.wait_for_subscriptions(1)
        yield client


@pytest_asyncio.fixture(loop_scope="module")
async def raw(server: Sockets, neighbor: Client) -> AsyncIterator[RawSocket]:
    """An initialized client; after the test, the neighbor must still be served."""
    async with raw_client(server.url) as opened:
        yield opened
    [kept] = await server.runner.wait_for_subscriptions(1)
    kept.show(1)
    assert await neighbor.receive() == shown("neighbor", 1)


async def subscribed(server: Sockets, raw: RawSocket, id_: str) -> FakeSubscription:
    before = server.runner.open
    await raw.send(text(subscription(id_)))
    return (await server.runner.wait_for_subscriptions(len(before) + 1))[-1]


def header(size: int) -> bytes:
    """Return the shortest header of an unmasked text frame that is a whole message."""
    if size <= 125:
        return bytes([0x81, size])
    return b"\x81\x7e" + struct.pack("!H", size) if size <= 65_535 else b"\x81\x7f" + struct.pack("!Q", size)


@pytest.mark.parametrize("id_", ["1", "é" * 30])
async def test_header_has_the_shortest_form_for_its_size(server: Sockets, raw: RawSocket, id_: str) -> None:
    fake = await subscribed(server, raw, id_)
    for size in (123, 124, 125, 126, 127, 65_534, 65_535, 65_536, 65_537):
        value = "x" * (size - len(orjson.dumps(shown(id_, ""))))
        fake.show(value)
        frame = await raw.receive_frame()
        assert (frame.head, frame.payload) == (header(size), orjson.dumps(shown(id_, value)))


@pytest.mark.parametrize("cuts", [(), (0,), (40_000,), (1, 2, LARGEST - 1), (LARGEST,)])
async def test_message_of_exactly_the_largest_size_is_read(raw: RawSocket, cuts: Sequence[int]) -> None:
    await raw.send(*fragments(PING_MESSAGE.ljust(LARGEST), *cuts))
    assert (await raw.receive_frame()).payload == PONG_MESSAGE


@pytest.mark.parametrize("cuts", [(), (40_000,), (1, 2, LARGEST), (LARGEST, LARGEST)])
async def test_message_one_byte_larger_closes_the_socket(raw: RawSocket, cuts: Sequence[int]) -> None:
    await raw.send(*fragments(PING_MESSAGE.ljust(LARGEST + 1), *cuts))
    assert await raw.closed() == (4400, f"The message has more than {LARGEST} bytes")


@pytest.mark.parametrize("size", [LARGEST + 1, 2**32, 2**63 - 1])
async def test_announced_size_alone_closes_the_socket(raw: RawSocket, size: int) -> None:
    await raw.send(b"\x81\xff" + struct.pack("!Q", size) + b"mask")
    assert await raw.closed() == (4400, f"The message has more than {LARGEST} bytes")


async def test_messages_cut_at_every_byte_are_answered(raw: RawSocket) -> None:
    sent = b"".join(
        frame.encode() for frame in [Frame(PING, b"!"), *fragments(PING_MESSAGE, 5, 36), text(PING_MESSAGE)]
    )
    for at in range(1, len(sent)):
        await raw.send(sent[:at])
        await turns_of_the_loop(2)
        await raw.send(sent[at:])
        assert await received(raw, 3) == [(PONG, b"!"), (TEXT, PONG_MESSAGE), (TEXT, PONG_MESSAGE)]


async def test_message_sent_byte_by_byte_is_answered(raw: RawSocket) -> None:
    for byte in text(PING_MESSAGE.ljust(200)).encode():
        await raw.send(bytes([byte]))
        await turns_of_the_loop(2)
    assert await received(raw, 1) == [(TEXT, PONG_MESSAGE)]


async def test_control_frames_are_answered_between_fragments(raw: RawSocket) -> None:
    first, *others = fragments(PING_MESSAGE, *range(1, len(PING_MESSAGE)))
    await raw.send(first)
    for number, fragment in enumerate(others):
        await raw.send(Frame(PONG, b"unexpected"), Frame(PING, bytes([number]) * 125), fragment)
    expected = [(PONG, bytes([number]) * 125) for number in range(len(others))]
    assert await received(raw, len(others) + 1) == [*expected, (TEXT, PONG_MESSAGE)]


async def test_empty_fragments_are_ignored(raw: RawSocket) -> None:
    await raw.send(*fragments(PING_MESSAGE, 0, 0, 3, 3, 3, len(PING_MESSAGE), len(PING_MESSAGE)))
    assert await received(raw, 1) == [(TEXT, PONG_MESSAGE)]


@pytest.mark.parametrize("turns", range(2, 20, 3))
async def test_frames_that_arrive_before_the_upgrade_is_accepted_are_read(server: Sockets, turns: int) -> None:
    request, early = upgrade_request(server.url), [text(INIT), text(subscription("q", "query"))]
    async with raw_socket(server.url) as hasty:
        await hasty.send(request[:9])
        await turns_of_the_loop(10)
        await hasty.send(request[9:])
        await turns_of_the_loop(turns)
        await hasty.send(*early)
        await hasty.upgraded()
        assert await hasty.receive() == ACK
        assert [(await hasty.receive())["type"] for _ in range(2)] == ["next", "complete"]


VIOLATIONS: dict[str, tuple[list[Frame], int]] = {
    "not masked": ([Frame(TEXT, PING_MESSAGE, is_masked=False)], 1002),
    "first reserved bit": ([Frame(TEXT, PING_MESSAGE, reserved=4)], 1002),
    "reserved bit of a ping": ([Frame(PING, b"", reserved=1)], 1002),
    "reserved bit of a fragment": ([Frame(TEXT, b"{", is_final=False), Frame(CONTINUATION, b"}", reserved=2)], 1002),
    "unknown kind of data": ([Frame(3, b"")], 1002),
    "unknown kind of control": ([Frame(15, b"")], 1002),
    "unknown kind between fragments": ([Frame(TEXT, b"{", is_final=False), Frame(11, b"")], 1002),
    "ping in fragments": ([Frame(PING, b"", is_final=False)], 1002),
    "close in fragments": ([Frame(CLOSE, b"", is_final=False)], 1002),
    "ping of 126 bytes": ([Frame(PING, b"x" * 126)], 1002),
    "continuation of nothing": ([Frame(CONTINUATION, b"{}")], 1002),
    "continuation of a whole message": ([text(PING_MESSAGE), Frame(CONTINUATION, b"")], 1002),
    "text between fragments": ([Frame(TEXT, b"{", is_final=False), Frame(TEXT, b"}")], 1002),
    "close between fragments": ([Frame(TEXT, b"{", is_final=False), Frame(CLOSE, b"\x03\xe8")], 1002),
    "close of one byte": ([Frame(CLOSE, b"\x03")], 1002),
    "close with a code that no frame may have": ([Frame(CLOSE, struct.pack("!H", NO_CODE))], 1002),
    "close with a reason that is not UTF-8": ([Frame(CLOSE, b"\x03\xe8\xff")], 1007),
    "text that is not UTF-8": ([text(b'{"type":"ping\xff"}')], 1007),
    "text with half a surrogate pair": ([text(b'"\xed\xa0\xbd"')], 1007),
    "text with an overlong form": ([text(b'"\xc0\x80"')], 1007),
    "text that ends within a character": ([text(PING_MESSAGE[:-5])], 1007),
    "fragments that end within a character": (fragments(PING_MESSAGE[:-5], 36), 1007),
    "binary": ([Frame(BINARY, PING_MESSAGE)], 4400),
    "binary in fragments": ([Frame(BINARY, b"{", is_final=False), Frame(CONTINUATION, b"}")], 4400),
}


@pytest.mark.parametrize(("frames", "code"), VIOLATIONS.values(), ids=list(VIOLATIONS))
async def test_violation_closes_only_its_own_socket(
    raw: RawSocket, caplog: pytest.LogCaptureFixture, frames: list[Frame], code: int
) -> None:
    await raw.send(*frames, text(PING_MESSAGE))
    assert (await raw.closed())[0] == code
    assert not [record for record in caplog.records if record.exc_info]


@pytest.mark.parametrize("payload", [b"", b"\x03\xe8", b"\x13\x87" + "Tschüs".encode(), b"\x03\xe8" + b"x" * 123])
async def test_close_frame_is_echoed_and_ends_the_stream(raw: RawSocket, payload: bytes) -> None:
    await raw.send(Frame(CLOSE, payload), text(PING_MESSAGE), Frame(PING, b"late"))
    frame = await raw.receive_frame()
    assert (frame.opcode, frame.payload) == (CLOSE, payload)
    await raw.ended()


@pytest.mark.parametrize("number", range(5))
async def test_no_frame_follows_the_close_frame(server: Sockets, raw: RawSocket, number: int) -> None:
    fake = await subscribed(server, raw, "s")
    showing = asyncio.create_task(_show_until_closed(fake))
    await raw.send(*[text(PING_MESSAGE)] * number, Frame(CLOSE, b"\x03\xe8"))
    assert await raw.closed() == (1000, "")
    await showing


@pytest.mark.parametrize("character", ["x", "é", "€", "🎫"])
async def test_close_reason_fits_into_a_control_frame(raw: RawSocket, character: str) -> None:
    id_ = character * 255
    await raw.send(text(subscription(id_)), text(subscription(id_)))
    frame = await raw.receive_frame()
    code, reason = close_of(frame)
    assert (frame.head[0], code, len(frame.payload) <= 125) == (0x88, 4409, True)
    assert f"Subscriber for {id_} already exists".startswith(reason.removesuffix("…"))
    assert len(reason) > 30


async def test_every_connection_is_forgotten(server: Sockets, neighbor: Client) -> None:
    await wait_until(lambda: server.capacity.total == 1, what="the end of all other sockets")


async def received(raw: RawSocket, count: int) -> list[tuple[int, bytes]]:
    """Return the opcodes and payloads of `count` frames, the control frames first.

    The order of answers to control frames and to messages is not defined.
    """
    frames = [await raw.receive_frame() for _ in range(count)]
    return sorted(((frame.opcode, frame.payload) for frame in frames), key=lambda one: one[0] == TEXT)


async def _show_until_closed(fake: FakeSubscription) -> None:
    number = 0
    while not fake.is_closed:
        number += 1
        fake.show(number)
        await asyncio.sleep(0)
