"""The limit of fan-out in Python: prepared frames, written to uvloop's transports in a plain loop.

It reads just enough of graphql-transport-ws for the load generator, and ignores the queries. A
change is encoded once, and a frame is made once for each distinct id. There is no back-pressure.
"""

import asyncio
import base64
import hashlib
import os
import signal
from pathlib import Path
from typing import Any, cast

import jwt
import orjson
import uvloop

from bench.peers.python_servers.verifier import Verifier

FIRST_VERSION = 1_000_000
TIERS = ("t1", "t2", "t3", "t4", "t5", "t6")
BACKLOG = 2_048
WEBSOCKET_KEY = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

verifier = Verifier(Path(os.environ["JWT_PUBLIC_KEY"]).read_bytes())


def make_frame(body: bytes) -> bytes:
    head = bytes([0x81, len(body)]) if len(body) < 126 else b"\x81\x7e" + len(body).to_bytes(2, "big")
    return head + body


class StockHub:
    def __init__(self) -> None:
        self.version = FIRST_VERSION
        self._subscribers: dict[bytes, set[asyncio.Transport]] = {}

    def subscribe(self, subscription_id: bytes, transport: asyncio.Transport) -> None:
        transport.write(make_frame(b'{"id":"%b",%b' % (subscription_id, self._payload())))
        self._subscribers.setdefault(subscription_id, set()).add(transport)

    def unsubscribe(self, subscription_id: bytes, transport: asyncio.Transport) -> None:
        transports = self._subscribers.get(subscription_id, set())
        transports.discard(transport)
        if not transports:
            self._subscribers.pop(subscription_id, None)

    def advance(self) -> None:
        self.version += 1
        payload = self._payload()
        for subscription_id, transports in self._subscribers.items():
            frame = make_frame(b'{"id":"%b",%b' % (subscription_id, payload))
            for transport in transports:
                transport.write(frame)

    def _payload(self) -> bytes:
        tier = {"available": 9_000_000 - self.version, "held": self.version, "sold": self.version}
        stock = {"version": self.version, "soldOut": False, "tiers": [{"tierId": name, **tier} for name in TIERS]}
        return b'"type":"next","payload":%b}' % orjson.dumps({"data": {"stockChanged": stock}})


hub = StockHub()


class Connection(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports have all of these methods but do not declare them.
        self._transport = cast(asyncio.Transport, transport)
        self._is_upgraded = False
        self._received = bytearray()
        self._subscription_id: bytes | None = None

    def connection_lost(self, exc: Exception | None) -> None:
        self._unsubscribe()

    def data_received(self, data: bytes) -> None:
        self._received += data
        if not self._is_upgraded:
            end = self._received.find(b"\r\n\r\n")
            if end < 0:
                return
            head = bytes(self._received[:end])
            del self._received[: end + 4]
            self._on_request(head)
        while (message := self._next_message()) is not None:
            self._on_message(message)

    def _on_request(self, head: bytes) -> None:
        if head.startswith(b"POST /tick"):
            self._transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
            hub.advance()
            return
        headers = dict(line.split(b": ", 1) for line in head.split(b"\r\n")[1:])
        accept = base64.b64encode(hashlib.sha1(headers[b"Sec-WebSocket-Key"] + WEBSOCKET_KEY).digest())
        self._is_upgraded = True
        self._transport.write(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Protocol: graphql-transport-ws\r\nSec-WebSocket-Accept: %b\r\n\r\n" % accept
        )

    def _next_message(self) -> dict[str, Any] | None:
        """Return the message of the next text frame, or an empty message for another frame."""
        data = self._received
        if not self._is_upgraded or len(data) < 6:
            return None
        length, start = data[1] & 0x7F, 2
        if length == 126:
            length, start = int.from_bytes(data[2:4], "big"), 4
        if len(data) < start + 4 + length:
            return None
        opcode, mask = data[0] & 0x0F, data[start : start + 4]
        body = bytes(byte ^ mask[i & 3] for i, byte in enumerate(data[start + 4 : start + 4 + length]))
        del data[: start + 4 + length]
        if opcode == 8:
            self._transport.close()
        message: dict[str, Any] = orjson.loads(body) if opcode == 1 else {}
        return message

    def _on_message(self, message: dict[str, Any]) -> None:
        match message.get("type"):
            case "connection_init":
                self._greet(message.get("payload", {}).get("Authorization"))
            case "subscribe":
                self._subscription_id = message["id"].encode()
                hub.subscribe(self._subscription_id, self._transport)
            case "complete":
                self._unsubscribe()

    def _greet(self, authorization: str | None) -> None:
        try:
            verifier.subject_of(authorization)
        except jwt.InvalidTokenError:
            self._transport.close()
        else:
            self._transport.write(make_frame(b'{"type":"connection_ack"}'))

    def _unsubscribe(self) -> None:
        if self._subscription_id is not None:
            hub.unsubscribe(self._subscription_id, self._transport)
            self._subscription_id = None


async def main() -> None:
    loop = asyncio.get_running_loop()
    stopped = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stopped.set)
    await loop.create_server(Connection, "127.0.0.1", int(os.environ["PORT"]), backlog=BACKLOG)
    await stopped.wait()


if __name__ == "__main__":
    uvloop.run(main())
