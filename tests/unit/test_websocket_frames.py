"""Frames of WebSockets: those of clients are joined to messages, and ours are shared."""

import struct
import tracemalloc
from itertools import pairwise

import pytest
from websockets.frames import Frame, Opcode

from subscriptions.interfaces import Rendered
from subscriptions.sockets.messages import next_prefix
from subscriptions.sockets.wires.frames import (
    FRAMES_PER_TURN,
    MAX_SHARED_FRAMES,
    FrameError,
    FrameReader,
    Incoming,
    close_frame,
    control_frame,
    next_frame,
    text_frame,
)

MAX_BYTES = 200_000
HELLO = Incoming(Opcode.TEXT, b"hello")


def sent(opcode: Opcode, data: bytes, *, fin: bool = True, **bits: bool) -> bytes:
    """Return a masked frame of a client."""
    frame = Frame(opcode, data, fin, **bits)
    if not bits and (fin or opcode not in (Opcode.PING, Opcode.CLOSE)) and len(data) <= MAX_BYTES:
        return frame.serialize(mask=True)
    # websockets refuses to send an invalid frame, so its first byte is set afterwards.
    valid = Frame(Opcode.BINARY, data).serialize(mask=True)
    flags = fin << 7 | frame.rsv1 << 6 | frame.rsv2 << 5 | frame.rsv3 << 4
    return bytes([flags | opcode]) + valid[1:]


def read_all(reader: FrameReader, *parts: bytes) -> list[Incoming]:
    received = []
    for part in parts:
        reader.feed(part)
        received += read_turn(reader)
        while reader.needs_turn:
            reader.begin_turn()
            received += read_turn(reader)
    return received


def read_turn(reader: FrameReader) -> list[Incoming]:
    received = []
    while (incoming := reader.read()) is not None:
        received.append(incoming)
    return received


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65_535, 65_536])
def test_message_is_read_whatever_the_size_of_its_header(size: int) -> None:
    data = b"x" * size
    assert read_all(FrameReader(MAX_BYTES), sent(Opcode.TEXT, data)) == [Incoming(Opcode.TEXT, data)]


def test_frames_may_be_cut_at_every_byte() -> None:
    whole = sent(Opcode.TEXT, b"hel", fin=False) + sent(Opcode.PING, b"!") + sent(Opcode.CONT, b"lo")
    reader = FrameReader(MAX_BYTES)
    for cut in range(len(whole) + 1):
        assert read_all(reader, whole[:cut], whole[cut:]) == [Incoming(Opcode.PING, b"!"), HELLO]
        assert reader.is_empty
    single = [whole[start:end] for start, end in pairwise(range(len(whole) + 1))]
    assert read_all(reader, *single) == [Incoming(Opcode.PING, b"!"), HELLO]


def test_reader_is_empty_only_between_messages() -> None:
    frame = sent(Opcode.TEXT, b"hello")
    for kept in (frame[:1], frame[:2], frame[:-1], sent(Opcode.TEXT, b"", fin=False)):
        reader = FrameReader(MAX_BYTES)
        assert reader.is_empty
        assert read_all(reader, kept) == []
        assert not reader.is_empty


def test_frames_wait_until_they_are_read() -> None:
    reader = FrameReader(MAX_BYTES)
    reader.feed(sent(Opcode.TEXT, b"hello") * 2)
    assert reader.read() == HELLO
    assert not reader.is_empty
    assert (reader.read(), reader.read()) == (HELLO, None)
    assert reader.is_empty


def test_empty_fragments_are_not_kept() -> None:
    reader = FrameReader(MAX_BYTES)
    read_all(reader, sent(Opcode.TEXT, b"", fin=False))
    flood = sent(Opcode.CONT, b"", fin=False) * 1_000
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        for _ in range(5):
            read_all(reader, flood)
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert after - before < 20_000
    assert read_all(reader, sent(Opcode.CONT, b"hello")) == [HELLO]


def test_frames_read_in_a_turn_are_bounded() -> None:
    reader = FrameReader(MAX_BYTES)
    reader.feed(sent(Opcode.PING, b"") * (FRAMES_PER_TURN + 1))
    assert len(read_turn(reader)) == FRAMES_PER_TURN
    assert reader.needs_turn
    reader.begin_turn()
    assert len(read_turn(reader)) == 1
    assert not reader.needs_turn
    assert reader.is_empty


TOO_LARGE = (4400, "The message has more than 10 bytes")
UNMASKED = Frame(Opcode.TEXT, b"hello").serialize(mask=False)
START = sent(Opcode.TEXT, b"he", fin=False)
VIOLATIONS: list[tuple[bytes, tuple[int, str]]] = [
    (sent(Opcode.TEXT, b"x" * 11), TOO_LARGE),
    (sent(Opcode.BINARY, b"x" * 11), TOO_LARGE),
    (sent(Opcode.TEXT, b"x" * 11)[:2], TOO_LARGE),
    (START + sent(Opcode.CONT, b"x" * 9), TOO_LARGE),
    (START + sent(Opcode.CONT, b"x" * 8, fin=False) + sent(Opcode.CONT, b"x"), TOO_LARGE),
    (bytes([0x81, 0xFF]) + struct.pack("!Q", 1 << 62), TOO_LARGE),
    (UNMASKED, (1002, "incorrect masking")),
    (sent(Opcode.TEXT, b"hello", rsv1=True), (1002, "reserved bits must be 0")),
    (sent(Opcode.TEXT, b"hello", rsv3=True), (1002, "reserved bits must be 0")),
    (bytes([0x83, 0x80]), (1002, "invalid opcode")),
    (bytes([0x8B, 0x80]), (1002, "invalid opcode")),
    (sent(Opcode.PING, b"!", fin=False), (1002, "fragmented control frame")),
    (sent(Opcode.CONT, b"x"), (1002, "unexpected continuation frame")),
    (START + sent(Opcode.TEXT, b"x"), (1002, "expected a continuation frame")),
    (START + sent(Opcode.CLOSE, b"\x03\xe8"), (1002, "incomplete fragmented message")),
    (sent(Opcode.CLOSE, b"\x03"), (1002, "close frame too short")),
    (sent(Opcode.CLOSE, b"\x03\xee"), (1002, "invalid status code")),
    (sent(Opcode.CLOSE, b"\x03\xe8\xff"), (1007, "invalid start byte at position 0")),
    (sent(Opcode.TEXT, b"\xff"), (1007, "")),
    (sent(Opcode.TEXT, b"\xe2\x82"), (1007, "")),
]


# The masks are random, so the bytes cannot be the names of the tests.
@pytest.mark.parametrize(("data", "closing"), VIOLATIONS, ids=range(len(VIOLATIONS)))
def test_violation_names_the_code_and_the_reason(data: bytes, closing: tuple[int, str]) -> None:
    with pytest.raises(FrameError) as caught:
        read_all(FrameReader(10), data)
    assert (caught.value.code, str(caught.value)) == closing


def test_control_frame_above_125_bytes_is_a_violation() -> None:
    with pytest.raises(FrameError, match="control frame too long"):
        read_all(FrameReader(MAX_BYTES), sent(Opcode.PING, b"x" * 126, rsv1=False))


def test_character_may_be_split_between_fragments() -> None:
    euro = "€".encode()
    parts = sent(Opcode.TEXT, euro[:1], fin=False) + sent(Opcode.CONT, euro[1:])
    assert read_all(FrameReader(MAX_BYTES), parts) == [Incoming(Opcode.TEXT, euro)]


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65_535, 65_536])
def test_our_frames_equal_those_of_websockets(size: int) -> None:
    message = b"x" * size
    assert text_frame(message) == Frame(Opcode.TEXT, message).serialize(mask=False)


def test_our_control_frames_equal_those_of_websockets() -> None:
    assert control_frame(Opcode.PONG, b"!") == Frame(Opcode.PONG, b"!").serialize(mask=False)
    assert close_frame(4400, "é") == Frame(Opcode.CLOSE, struct.pack("!H", 4400) + "é".encode()).serialize(mask=False)


@pytest.mark.parametrize("payload_size", [20, 70, 80, 90, 100, 65_400, 65_500, 70_000])
def test_next_frame_holds_the_message(payload_size: int) -> None:
    payload = b'"%b"' % (b"x" * payload_size)
    prefix = next_prefix('a"€')
    expected = b'{"id":"a\\"\xe2\x82\xac","type":"next","payload":' + payload + b"}"
    assert next_frame(prefix, Rendered(payload)) == text_frame(expected)


def test_sockets_with_the_same_id_share_one_frame() -> None:
    rendered = Rendered(b"{}")
    first = next_frame(next_prefix("1"), rendered)
    assert next_frame(next_prefix("1"), rendered) is first
    assert next_prefix("1") is next_prefix("1")
    assert next_frame(next_prefix("2"), rendered) != first


def test_payload_keeps_a_bounded_number_of_frames() -> None:
    rendered = Rendered(b"{}")
    frames = {next_frame(next_prefix(f"{number:036}"), rendered) for number in range(100)}
    assert len(frames) == 100
    assert len(rendered.frames) == MAX_SHARED_FRAMES


def test_frames_do_not_matter_when_payloads_are_compared() -> None:
    framed = Rendered(b"{}")
    next_frame(next_prefix("1"), framed)
    assert framed == Rendered(b"{}")
    assert repr(framed) == repr(Rendered(b"{}"))
