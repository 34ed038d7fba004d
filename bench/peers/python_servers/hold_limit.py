"""The limit for holds in Python: a bare ASGI application that never reads the text of a query.

It sends the script calls of one loop iteration to Redis in one write, and assembles its answers
from bytes. A GraphQL server in Python on one core can hardly be faster.
"""

import asyncio
import hashlib
import os
import time
from collections import deque
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import hiredis
import jwt
import orjson

from bench.peers.python_servers.verifier import Verifier

HOLD_MS = 600_000
JSON_HEADER = (b"content-type", b"application/json")

verifier = Verifier(Path(os.environ["JWT_PUBLIC_KEY"]).read_bytes())
script = Path(os.environ["HOLD_LUA"]).read_bytes()
script_sha = hashlib.sha1(script).hexdigest()


class RedisConnection(asyncio.Protocol):
    """Sends the commands of one loop iteration in one write."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._reader = hiredis.Reader()
        self._waiting: deque[asyncio.Future[Any]] = deque()
        self._outgoing: list[bytes] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports have all of these methods but do not declare them.
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._reader.feed(data)
        while (answer := self._reader.gets()) is not False:
            future = self._waiting.popleft()
            if isinstance(answer, Exception):
                future.set_exception(answer)
            else:
                future.set_result(answer)

    def ask(self, *command: str | bytes | int) -> asyncio.Future[Any]:
        if not self._outgoing:
            self._loop.call_soon(self._flush)
        self._outgoing.append(hiredis.pack_command(command))  # type: ignore[arg-type]  # its stub allows one word
        future: asyncio.Future[Any] = self._loop.create_future()
        self._waiting.append(future)
        return future

    def _flush(self) -> None:
        self._transport.write(b"".join(self._outgoing))
        self._outgoing.clear()


class HoldLimit:
    _store: RedisConnection

    async def start(self) -> None:
        loop = asyncio.get_running_loop()
        _, self._store = await loop.create_connection(RedisConnection, "127.0.0.1", int(os.environ["REDIS_PORT"]))
        await self._store.ask("SCRIPT", "LOAD", script)

    async def answer(self, scope: Any, receive: Any) -> tuple[int, bytes]:
        header = next((value for name, value in scope["headers"] if name == b"authorization"), b"")
        try:
            user = verifier.subject_of(header.decode())
        except jwt.InvalidTokenError as error:
            return 401, str(error).encode()
        body = b""
        while True:
            message = await receive()
            body += message["body"]
            if not message.get("more_body"):
                return 200, await self._hold(user, body)

    async def _hold(self, user: str, body: bytes) -> bytes:
        asked = orjson.loads(body)["variables"]["input"]
        tag = "{" + asked["concertId"] + "}"
        hold_id = os.urandom(16).hex()
        expires_at = datetime.fromtimestamp(time.time() + HOLD_MS / 1000, UTC).isoformat(timespec="milliseconds")
        keys = (f"stock:{tag}", f"idem:{tag}:{asked['idempotencyKey']}", f"hold:{tag}:{hold_id}")
        lines = [word for line in asked["lines"] for word in (line["tierId"], line["quantity"])]
        is_held, first, held_until = await self._store.ask(
            "EVALSHA", script_sha, len(keys), *keys, hold_id, user, expires_at, HOLD_MS, *lines
        )
        if is_held:
            return b'{"data":{"holdTickets":{"__typename":"Hold","id":"%b","expiresAt":"%b"}}}' % (first, held_until)
        return b'{"data":{"holdTickets":{"__typename":"SoldOutError","message":"Sold out","available":%d}}}' % first


limit = HoldLimit()


async def app(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "lifespan":
        await receive()
        await limit.start()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})
        return
    status, body = await limit.answer(scope, receive)
    length = (b"content-length", b"%d" % len(body))
    await send({"type": "http.response.start", "status": status, "headers": [JSON_HEADER, length]})
    await send({"type": "http.response.body", "body": body})
