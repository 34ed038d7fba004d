"""`python -m bench.stock_subscribers HOST PORT CONCERT SOCKETS`: sockets that watch a concert's
stock.

Nothing is parsed: a protocol per socket counts the messages received. The program prints READY
after the first snapshot of every socket, then answers each line on standard input with the count
so far.
"""

import asyncio
import base64
import json
import os
import sys

OPENING_AT_ONCE = 100
DOCUMENT = """subscription ($id: ID!) {
  stockChanged(concertId: $id) { version epoch soldOut tiers { tierId available held sold } }
}"""


def frame(message: object) -> bytes:
    """Return a text frame of a client, masked with zeros: a real mask matters only to proxies."""
    payload = json.dumps(message).encode()
    length = bytes([0x80 | len(payload)]) if len(payload) < 126 else b"\xfe" + len(payload).to_bytes(2, "big")
    return b"\x81" + length + b"\0\0\0\0" + payload


class StockSubscriber(asyncio.Protocol):
    def __init__(self, host: str, concert: str) -> None:
        self.count = 0
        self.first: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._host = host
        self._concert = concert
        self._is_open = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        key = base64.b64encode(os.urandom(16)).decode()
        request = (
            f"GET /graphql HTTP/1.1\r\nHost: {self._host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Protocol: graphql-transport-ws\r\n\r\n"
        )
        transport.write(request.encode())

    def data_received(self, data: bytes) -> None:
        if not self._is_open:
            self._is_open = True
            payload = {"query": DOCUMENT, "variables": {"id": self._concert}}
            self._transport.write(
                frame({"type": "connection_init"}) + frame({"type": "subscribe", "id": "1", "payload": payload})
            )
        if b'"ping"' in data:
            self._transport.write(frame({"type": "pong"}))
        self.count += data.count(b'"next"')
        if self.count and not self.first.done():
            self.first.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.first.done():
            self.first.set_exception(exc or ConnectionError("the server closed the socket"))


async def main(host: str, port: int, concert: str, sockets: int) -> None:
    loop = asyncio.get_running_loop()
    crowd: list[StockSubscriber] = []
    while len(crowd) < sockets:
        size = min(OPENING_AT_ONCE, sockets - len(crowd))
        opened = await asyncio.gather(
            *[
                loop.create_connection(lambda: StockSubscriber(f"{host}:{port}", concert), host, port)
                for _ in range(size)
            ]
        )
        await asyncio.gather(*[onlooker.first for _, onlooker in opened])
        crowd += [onlooker for _, onlooker in opened]
    sys.stdout.write("READY\n")
    sys.stdout.flush()
    while await loop.run_in_executor(None, sys.stdin.readline):
        sys.stdout.write(f"{sum(onlooker.count for onlooker in crowd)}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), sys.argv[3], int(sys.argv[4])))
