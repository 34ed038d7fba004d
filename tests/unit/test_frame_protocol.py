"""The frame protocol: reading, back-pressure and closing on a fake transport."""

import asyncio
import struct
from dataclasses import dataclass

from websockets.frames import Frame, Opcode

from subscriptions.interfaces import Rendered
from subscriptions.sockets.messages import next_prefix
from subscriptions.sockets.wires.frame_protocol import (
    CLOSE_WAIT_S,
    QUIET_S,
    WRITE_HIGH_BYTES,
    WRITE_LOW_BYTES,
    FrameProtocol,
)
from subscriptions.sockets.wires.frames import close_frame, control_frame, text_frame
from tests.support.fake_transport import FakeServerState, FakeSink, FakeTransport
from tests.support.loop_clock import LoopClock
from tests.support.waiting import wait_until


@dataclass
class Socket:
    protocol: FrameProtocol
    transport: FakeTransport
    sink: FakeSink
    server: FakeServerState

    def receive(self, *frames: bytes) -> None:
        """Pass the frames in one segment."""
        self.protocol.data_received(b"".join(frames))


def masked(opcode: Opcode, data: bytes) -> bytes:
    return Frame(opcode, data).serialize(mask=True)


def message(data: bytes) -> bytes:
    return masked(Opcode.TEXT, data)


CLOSE = masked(Opcode.CLOSE, struct.pack("!H", 1000))


def paused_socket() -> Socket:
    transport, server, sink = FakeTransport(), FakeServerState(), FakeSink()
    protocol = FrameProtocol(transport, server, max_bytes=100)
    transport.protocol = protocol
    protocol.connect(sink)
    return Socket(protocol, transport, sink, server)


def open_socket() -> Socket:
    socket = paused_socket()
    socket.protocol.resume_reading()
    return socket


async def test_socket_starts_paused_and_counts_as_a_connection() -> None:
    socket = paused_socket()
    assert socket.transport.is_paused
    assert socket.transport.limits == (WRITE_HIGH_BYTES, WRITE_LOW_BYTES)
    assert socket.server.connections == {socket.protocol}
    socket.protocol.connection_lost(None)
    assert socket.server.connections == set()
    assert socket.sink.events == ["lost"]


async def test_messages_are_passed_in_order() -> None:
    socket = open_socket()
    socket.receive(message(b"1"), masked(Opcode.BINARY, b"2"), message(b"3"))
    assert socket.sink.events == [b"1", "binary", b"3"]


async def test_paused_socket_passes_buffered_messages_later_and_then_reads_on() -> None:
    socket = open_socket()
    socket.sink.on_message = socket.protocol.pause_reading
    socket.receive(message(b"1"), message(b"2"), message(b"3"))
    assert (socket.sink.events, socket.transport.is_paused) == ([b"1"], True)
    socket.protocol.resume_reading()
    await asyncio.sleep(0)
    assert (socket.sink.events, socket.transport.is_paused) == ([b"1", b"2"], True)
    socket.sink.on_message = lambda: None
    socket.protocol.resume_reading()
    await asyncio.sleep(0)
    assert (socket.sink.events, socket.transport.is_paused) == ([b"1", b"2", b"3"], False)


async def test_answers_given_together_are_written_together() -> None:
    socket = open_socket()
    socket.protocol.write(b"1", b"2")
    assert socket.transport.written == [text_frame(b"1") + text_frame(b"2")]


async def test_payload_is_written_as_one_frame() -> None:
    socket = open_socket()
    socket.protocol.write_next(next_prefix("s"), Rendered(b"{}"))
    assert socket.transport.written == [text_frame(b'{"id":"s","type":"next","payload":{}}')]


async def test_ping_is_answered_at_once_if_the_client_reads() -> None:
    socket = open_socket()
    socket.receive(masked(Opcode.PING, b"1"), masked(Opcode.PONG, b"2"))
    assert socket.transport.written == [control_frame(Opcode.PONG, b"1")]


async def test_only_the_newest_ping_is_answered_if_the_client_does_not_read() -> None:
    socket = open_socket()
    socket.transport.is_stuck = True
    socket.receive(*(masked(Opcode.PING, b"%d" % number) for number in range(5)))
    assert socket.transport.written == [control_frame(Opcode.PONG, b"0")]
    socket.transport.drain()
    assert socket.transport.written[1:] == [control_frame(Opcode.PONG, b"4")]
    assert socket.sink.events == ["pause", "resume"]


async def test_connection_stays_paused_if_the_pong_already_fills_the_buffer() -> None:
    socket = open_socket()
    socket.transport.is_stuck = True
    socket.receive(masked(Opcode.PING, b"0"), masked(Opcode.PING, b"1"))
    socket.protocol.resume_writing()
    assert socket.sink.events == ["pause", "pause"]


async def test_close_of_the_client_is_answered_with_its_code() -> None:
    socket = open_socket()
    socket.receive(message(b"1"), CLOSE, message(b"2"))
    assert socket.transport.written == [close_frame(1000, "")]
    assert (socket.sink.events, socket.transport.ending) == ([b"1", "lost"], "closed")


async def test_client_that_does_not_read_the_answer_to_its_close_is_disconnected() -> None:
    clock, socket = LoopClock(), open_socket()
    socket.receive(CLOSE)
    clock.advance(CLOSE_WAIT_S)
    await wait_until(lambda: socket.transport.ending == "aborted")


async def test_closing_socket_waits_for_the_clients_close_and_drops_its_messages() -> None:
    socket = open_socket()
    socket.protocol.close(4400, "reason")
    assert socket.transport.written == [close_frame(4400, "reason")]
    socket.receive(message(b"late"), masked(Opcode.PING, b"late"))
    assert socket.transport.ending == ""
    socket.receive(CLOSE)
    assert (socket.sink.events, socket.transport.ending) == (["lost"], "closed")
    assert len(socket.transport.written) == 1


async def test_paused_socket_still_reads_the_clients_answer_to_our_close() -> None:
    socket = open_socket()
    socket.sink.on_message = socket.protocol.pause_reading
    socket.receive(message(b"1"), message(b"2"), CLOSE)
    socket.protocol.close(1013, "")
    await asyncio.sleep(0)
    assert (socket.sink.events, socket.transport.ending) == ([b"1", "lost"], "closed")


async def test_client_that_does_not_answer_our_close_is_disconnected() -> None:
    clock, socket = LoopClock(), open_socket()
    socket.protocol.close(4400, "reason")
    clock.advance(CLOSE_WAIT_S)
    await wait_until(lambda: socket.transport.ending == "aborted")


async def test_violation_by_a_client_that_was_closed_disconnects_it() -> None:
    socket = open_socket()
    socket.protocol.close(4400, "reason")
    socket.receive(bytes([0x83, 0x80]))
    assert (socket.transport.written, socket.transport.ending) == ([close_frame(4400, "reason")], "closed")


async def test_second_close_is_ignored() -> None:
    socket = open_socket()
    socket.protocol.close(4400, "reason")
    socket.protocol.close(1013, "")
    socket.protocol.restart()
    assert socket.transport.written == [close_frame(4400, "reason")]


async def test_violation_closes_the_socket_once_the_client_is_silent() -> None:
    clock, socket = LoopClock(), open_socket()
    socket.receive(message(b"1"), bytes([0x83, 0x80]), message(b"2"))
    assert socket.transport.written == [close_frame(1002, "invalid opcode")]
    assert socket.sink.events == [b"1", "lost"]
    for _ in range(3):
        clock.advance(QUIET_S * 0.9)
        socket.receive(message(b"more"))
        assert socket.transport.ending == ""
    clock.advance(QUIET_S)
    await wait_until(lambda: socket.transport.ending == "closed")


async def test_client_that_is_never_silent_is_disconnected() -> None:
    clock, socket = LoopClock(), open_socket()
    socket.receive(bytes([0x83, 0x80]))
    clock.advance(CLOSE_WAIT_S - QUIET_S / 2)
    socket.receive(message(b"more"))
    clock.advance(QUIET_S)
    await wait_until(lambda: socket.transport.ending == "aborted")


async def test_half_closed_socket_ends_at_once() -> None:
    clock, socket = LoopClock(), open_socket()
    socket.protocol.eof_received()
    assert socket.sink.events == ["lost"]
    clock.advance(CLOSE_WAIT_S)
    await wait_until(lambda: socket.transport.ending == "aborted")


async def test_restart_ends_the_connection_and_names_the_reason() -> None:
    socket = open_socket()
    socket.protocol.restart()
    assert socket.sink.events == ["lost"]
    assert socket.transport.written == [close_frame(1012, "This server is restarting; reconnect")]


async def test_server_waits_for_the_tasks_of_a_socket() -> None:
    socket, gate = open_socket(), asyncio.Event()

    async def work() -> None:
        await gate.wait()

    task = socket.protocol.start_task(work())
    socket.protocol.connection_lost(None)
    assert socket.server.tasks == {task}
    gate.set()
    await task
    await wait_until(lambda: not socket.server.tasks)


async def test_failure_of_a_buffered_message_disconnects_the_client() -> None:
    failures: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: failures.append(context["exception"]))
    socket, error = open_socket(), RuntimeError("broken")
    socket.sink.on_message = socket.protocol.pause_reading
    socket.receive(message(b"1"), message(b"2"))

    def fail() -> None:
        raise error

    socket.sink.on_message = fail
    socket.protocol.resume_reading()
    await asyncio.sleep(0)
    assert (failures, socket.transport.ending) == ([error], "aborted")
