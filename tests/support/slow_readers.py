"""Opens TCP connections with a small receive buffer, which soon fills up if the client stops
reading.
"""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

RECEIVE_BUFFER_BYTES = 4_096


@asynccontextmanager
async def small_buffer_socket(address: str) -> AsyncIterator[socket.socket]:
    """Connect to `host:port` with a small receive buffer."""
    host, port = address.split(":")
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as small:
        small.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_BYTES)
        small.setblocking(False)
        await asyncio.get_running_loop().sock_connect(small, (host, int(port)))
        yield small
