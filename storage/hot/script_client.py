"""The client for the hot store. Calls made in the same event loop iteration share one round trip
and one fsync.

Calls wait in one bounded queue, from which two pipelines, each with one connection, take batches.
A pipeline connects before it encodes the calls, because each call contains the incarnation of the
store as seen by its connection; scripts refuse any other (lua/lib/prologue.lua). A call whose
connection broke is encoded again for a new connection, so every script must tolerate being executed
twice.
"""

import asyncio
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

from redis.asyncio.connection import AbstractConnection, ConnectionPool
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import (
    ClusterDownError,
    MasterDownError,
    NoScriptError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisError,
    ResponseError,
    TryAgainError,
)
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from domain.errors import TemporarilyUnavailable
from domain.ids import ConcertId
from storage.hot.resp import Arg, pack_call
from storage.keys import concert_keys
from storage.scripts import Script, ScriptReplyError
from storage.time_slice import TimeSlice

PIPELINES = 2
"""With only one pipeline, a long recovery would delay every hold.

With more than two, fsyncs would be smaller and more frequent.
"""
MAX_BATCH = 512
MAX_WAITING = 20_000
"""About half a second of work for the store. Beyond this limit, calls raise TemporarilyUnavailable.
"""
INCARNATION_MAX_AGE_S = 1.0
TIMEOUT_S = 3.0
CANCEL_AGAIN_S = 0.1

_UNAVAILABLE_ERRORS = (OutOfMemoryError, ClusterDownError, MasterDownError, TryAgainError)
_UNAVAILABLE_PREFIXES = ("MISCONF", "NOREPLICAS", "BUSY")
"""Error codes for which redis-py has no class.

In these errors, the code is still the first word of the message.
"""

Reply = list[bytes | int]


@dataclass(slots=True)
class _Call:
    script: Script
    keys: tuple[str, ...]
    args: Sequence[Arg]
    answer: "asyncio.Future[Reply]"
    is_repeated: bool = False

    def pack(self, incarnation: str, *, with_source: bool = False) -> bytes:
        head = ("EVAL", self.script.source) if with_source else ("EVALSHA", self.script.sha)
        args = (incarnation, *self.args) if self.script.takes_incarnation else self.args
        return pack_call(*head, self.keys, args)

    def succeed(self, reply: Reply) -> None:
        if not self.answer.done():
            self.answer.set_result(reply)

    @property
    def has_failed(self) -> bool:
        return self.answer.done() and not self.answer.cancelled() and self.answer.exception() is not None

    def fail(self, error: Exception) -> None:
        if not self.answer.done():
            self.answer.set_exception(error)


class ScriptClient:
    """A client that owns its pipelines and connections; `aclose` closes them, and waiting calls
    fail.
    """

    def __init__(self, url: str) -> None:
        # redis-py's own retries are off, because they resend old bytes to a new server, which once
        # sold units twice.
        retry = Retry(NoBackoff(), 0)
        self._pool = ConnectionPool.from_url(
            url,
            max_connections=PIPELINES + 1,
            retry=retry,
            protocol=2,
            socket_timeout=TIMEOUT_S,
            socket_connect_timeout=TIMEOUT_S,
            client_name="onsale",
        )
        self._command_lock = asyncio.Lock()
        self._waiting: deque[_Call] = deque()
        self._wake = asyncio.Event()
        incarnation_seen = _IncarnationSeen()
        pipelines = [_Pipeline(self._pool, self._waiting, self._wake, incarnation_seen) for _ in range(PIPELINES)]
        self._pipeline_tasks = [asyncio.create_task(pipeline.run()) for pipeline in pipelines]

    async def call(self, script: Script, concert_id: ConcertId, *args: Arg) -> tuple[str, Reply]:
        """Call a script for a concert. Return the word of its reply and the values after it.

        Raises TemporarilyUnavailable if the store cannot be reached or is overloaded, and
        ScriptReplyError for a word that the script's header does not declare.
        """
        return await self.call_with_keys(script, concert_keys(concert_id), *args)

    async def call_with_keys(self, script: Script, keys: tuple[str, ...], *args: Arg) -> tuple[str, Reply]:
        """Call a script whose keys do not belong to a concert. `call` describes the reply and the
        errors.
        """
        if len(self._waiting) >= MAX_WAITING:
            raise TemporarilyUnavailable("Too many requests are waiting for the stock store")
        answer: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Call(script, keys, args, answer))
        self._wake.set()
        word, *rest = await answer
        text = cast(bytes, word).decode()
        if text not in script.replies:
            raise ScriptReplyError(script.name, text)
        return text, rest

    async def run_command(self, *command: str | bytes) -> Any:
        """Run one plain command that is not part of a sale, and return its reply."""
        async with self._command_lock:
            connection = await self._pool.get_connection()
            try:
                await connection.send_command(*command)
                return await connection.read_response()
            finally:
                await self._pool.release(connection)

    async def aclose(self) -> None:
        running = set(self._pipeline_tasks)
        while running:
            for pipeline in running:
                pipeline.cancel()
            # Python 3.11 loses a cancellation that coincides with the end of a send, so cancel
            # until every task has ended.
            _, running = await asyncio.wait(running, timeout=CANCEL_AGAIN_S)
        await asyncio.gather(*self._pipeline_tasks, return_exceptions=True)
        while self._waiting:
            self._waiting.popleft().fail(TemporarilyUnavailable("This server is stopping"))
        await self._pool.aclose()


@dataclass(slots=True)
class _IncarnationSeen:
    """The incarnation last seen by any pipeline.

    A change seen by one pipeline makes the others read it again, because a store that is promoted
    to primary keeps its connections.
    """

    last_seen: str = ""
    changes: int = 0

    def update(self, incarnation: str) -> None:
        if incarnation != self.last_seen:
            self.last_seen = incarnation
            self.changes += 1


class _Pipeline:
    """Takes the waiting calls, sends them in one write over its connection, and sets their
    results.
    """

    def __init__(
        self, pool: ConnectionPool, waiting: deque[_Call], wake: asyncio.Event, incarnation_seen: _IncarnationSeen
    ) -> None:
        self._pool = pool
        self._incarnation_seen = incarnation_seen
        self._changes_seen = 0
        self._waiting = waiting
        self._wake = wake
        self._incarnation = ""
        self._seen_at = float("-inf")

    async def run(self) -> None:
        connection = cast(AbstractConnection, self._pool.make_connection())
        try:
            while True:
                await self._wake.wait()
                # Let calls made later in this event loop iteration join the batch.
                await asyncio.sleep(0)
                batch = [self._waiting.popleft() for _ in range(min(len(self._waiting), MAX_BATCH))]
                if not self._waiting:
                    self._wake.clear()
                if batch:
                    await self._send_batch(connection, batch)
        finally:
            await connection.disconnect(nowait=True)

    async def _send_batch(self, connection: AbstractConnection, batch: list[_Call]) -> None:
        try:
            await self._exchange(connection, batch)
        except asyncio.CancelledError:
            for call in batch:
                call.fail(TemporarilyUnavailable("This server is stopping"))
            raise
        except (RedisConnectionError, RedisTimeoutError, ReadOnlyError, OSError) as error:
            await connection.disconnect(nowait=True)
            self._requeue([call for call in batch if not call.answer.done()], error)
        except Exception as error:
            await connection.disconnect(nowait=True)
            for call in batch:
                call.fail(error)

    def _requeue(self, calls: list[_Call], error: Exception) -> None:
        for call in reversed(calls):
            if call.is_repeated:
                refusal = TemporarilyUnavailable("The stock store does not answer")
                refusal.__cause__ = error
                call.fail(refusal)
            else:
                call.is_repeated = True
                self._waiting.appendleft(call)
                self._wake.set()

    async def _exchange(self, connection: AbstractConnection, batch: list[_Call]) -> None:
        incarnation = await self._read_incarnation(connection)
        packed: list[bytes] = []
        for call in batch:
            try:
                packed.append(call.pack(incarnation))
            except ValueError as error:
                # Only the caller whose arguments cannot be encoded gets the error.
                call.fail(error)
        batch = [call for call in batch if not call.has_failed]
        await connection.send_packed_command(packed)
        missing: list[_Call] = []
        time_slice = TimeSlice()
        for call in batch:
            # Replies that have already arrived are parsed without yielding, and parsing large ones
            # takes a long time.
            await time_slice.checkpoint()
            try:
                call.succeed(await connection.read_response())
            except NoScriptError:
                missing.append(call)
            except ReadOnlyError:
                raise
            except ResponseError as error:
                call.fail(_to_domain_error(error))
        # The script cache was flushed, so these calls had no effect. Send them again with the
        # source.
        for call in missing:
            await connection.send_packed_command([call.pack(incarnation, with_source=True)])
            try:
                call.succeed(await connection.read_response())
            except ReadOnlyError:
                raise
            except ResponseError as error:
                call.fail(_to_domain_error(error))

    async def _read_incarnation(self, connection: AbstractConnection) -> str:
        """Return the store's incarnation, which is read on a new connection and then once a
        second.
        """
        if not connection.is_connected:
            await connection.connect()
            # The new connection may lead to another server, so the incarnation must be read again.
            self._seen_at = float("-inf")
        is_old = time.monotonic() - self._seen_at > INCARNATION_MAX_AGE_S
        if is_old or self._changes_seen != self._incarnation_seen.changes:
            commands = [("INFO", "server"), ("INFO", "replication")]
            await connection.send_packed_command(connection.pack_commands(commands))
            texts = [cast(bytes, await connection.read_response()).decode() for _ in commands]
            self._incarnation = f"{_field(texts[0], 'run_id')}-{_field(texts[1], 'master_replid')}"
            self._seen_at = time.monotonic()
            self._incarnation_seen.update(self._incarnation)
            self._changes_seen = self._incarnation_seen.changes
        return self._incarnation


def _to_domain_error(error: ResponseError) -> Exception:
    """Return TemporarilyUnavailable for a store that is full, loading or without its replicas.

    Any other script error is a bug, and is returned unchanged.
    """
    if not isinstance(error, _UNAVAILABLE_ERRORS) and not str(error).startswith(_UNAVAILABLE_PREFIXES):
        return error
    refusal = TemporarilyUnavailable("The stock store does not accept writes")
    refusal.__cause__ = error
    return refusal


def _field(info: str, name: str) -> str:
    for line in info.splitlines():
        key, _, value = line.partition(":")
        if key == name:
            return value
    raise RedisError(f"INFO has no {name}")
