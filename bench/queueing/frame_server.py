"""`python -m bench.queueing.frame_server SOCKETS FRAME_BYTES`: sends frames as fast as it can.

It prints its port, accepts SOCKETS connections, and then repeatedly writes the same prepared frame
to each of them, skipping those whose write buffer is full. It does nothing else, so its rate is an
upper limit for the real server on this machine.
"""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast

from bench.child_process import run_child
from storage.time_slice import TimeSlice
from web.server import BACKLOG, run_program

FULL_BUFFER_BYTES = 65_536
PAYLOAD = b'{"id":"1","type":"next","payload":'
HANDSHAKE = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"
POLL_INTERVAL_S = 0.05


@asynccontextmanager
async def run_frame_server(sockets: int, frame_bytes: int) -> AsyncIterator[int]:
    """Run the program and yield its port."""
    async with run_child("bench.queueing.frame_server", str(sockets), str(frame_bytes)) as child:
        yield int(await child.read_line())


def make_frame(size: int) -> bytes:
    """Return a complete frame of `size` bytes, including its header.

    The payload must be between 126 and 65,535 bytes long.
    """
    payload = PAYLOAD + b'"' + b"x" * (size - 4 - len(PAYLOAD) - 3) + b'"}'
    return b"\x81\x7e" + len(payload).to_bytes(2, "big") + payload


class FrameSocket(asyncio.Protocol):
    def __init__(self, transports: list[asyncio.Transport], frame: bytes) -> None:
        self._transports = transports
        self._frame = frame
        self._messages = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._messages += 1
        if self._messages == 1:
            self._transport.write(HANDSHAKE)
        elif self._messages == 2:
            self._transports.append(self._transport)
            self._transport.write(self._frame)


async def main(sockets: int, size: int) -> None:
    transports: list[asyncio.Transport] = []
    frame = make_frame(size)
    server = await asyncio.get_running_loop().create_server(
        lambda: FrameSocket(transports, frame), "127.0.0.1", 0, backlog=BACKLOG
    )
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    # The program stops at the end of its standard input, which is closed when the parent process
    # ends.
    ended = asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    while not ended.done():
        # Between time slices, the event loop serves the sockets as often as in the real server.
        time_slice = TimeSlice()
        for transport in transports if len(transports) == sockets else ():
            if transport.get_write_buffer_size() < FULL_BUFFER_BYTES:
                transport.write(frame)
            await time_slice.checkpoint()
        await asyncio.sleep(0 if len(transports) == sockets else POLL_INTERVAL_S)


if __name__ == "__main__":
    run_program(main(int(sys.argv[1]), int(sys.argv[2])))
