"""One connection to the store: writes commands and passes each reply on, in order, as it arrives.

redis-py reads the URL and connects, which includes TLS, AUTH and SELECT. Then this protocol takes
over the transport, because reading replies through redis-py took longer than the rest of a call.
A connection that fails in any way is closed and never used again, so a late reply cannot be
taken for the reply to another command.
"""

import asyncio
import time
from typing import Any, Protocol, cast

import hiredis
from redis.asyncio.connection import AbstractConnection
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError

from storage.time_slice import MAX_SLICE_S

RECHECK_S = 0.01
"""How long to wait once more before a timeout, so that replies that arrived during a standstill of
the process are read first.
"""
_INCOMPLETE = object()


class ReplyReceiver(Protocol):
    """The owner of a connection."""

    def receive(self, reply: Any) -> None:
        """Handle the next reply, which is a ResponseError if the store refused the command."""

    def disconnected(self, error: Exception) -> None:
        """Handle the end of the connection. Replies that are still expected will not arrive."""


class StoreConnection(asyncio.Protocol):
    """An open connection, until `close`, or until it fails and calls `disconnected` once."""

    def __init__(self, connection: AbstractConnection, receiver: ReplyReceiver) -> None:
        self._receiver = receiver
        self._timeout_s = cast(float, connection.socket_timeout)
        self._loop = asyncio.get_running_loop()
        self._reader = hiredis.Reader(replyError=ResponseError, notEnoughData=_INCOMPLETE)
        self._expected = 0
        self._progress_s = 0.0
        self._is_overdue = False
        self._is_open = True
        self._has_more_to_read = False
        self._timer: asyncio.TimerHandle | None = None
        self._writer = _detach_writer(connection)
        self._transport = self._writer.transport
        self._transport.set_protocol(self)

    @classmethod
    async def open(cls, connection: AbstractConnection, receiver: ReplyReceiver) -> "StoreConnection":
        """Connect, and return the connection. Raises RedisError or OSError."""
        try:
            await connection.connect()
            # This is also true at the end of the stream.
            if await connection.can_read():
                raise _unexpected()
        except BaseException:
            await connection.disconnect(nowait=True)
            raise
        return cls(connection, receiver)

    def send(self, commands: bytes, *, replies: int) -> None:
        """Write the bytes of one or more commands and expect one reply to each."""
        self._expected += replies
        self._note_progress()
        self._transport.write(commands)
        if self._timer is None:
            self._timer = self._loop.call_later(self._timeout_s, self._check_progress)

    def close(self) -> None:
        """Close the connection without calling `disconnected`."""
        self._is_open = False
        self._transport.abort()
        if self._timer is not None:
            self._timer.cancel()

    def data_received(self, data: bytes) -> None:
        if not self._expected:
            self._fail(_unexpected())
            return
        self._reader.feed(data)
        if not self._has_more_to_read:
            self._read_replies()

    def resume_writing(self) -> None:
        self._note_progress()

    def connection_lost(self, exc: Exception | None) -> None:
        self._fail(exc or RedisConnectionError("The store closed the connection"))

    def _read_replies(self) -> None:
        """Read the complete replies that have arrived.

        Decoding large replies takes long, so other tasks run after each time slice.
        """
        self._has_more_to_read = False
        end_s = time.monotonic() + MAX_SLICE_S
        try:
            while self._is_open and (reply := self._reader.gets()) is not _INCOMPLETE:
                self._receive(reply)
                if time.monotonic() > end_s:
                    self._has_more_to_read = True
                    self._loop.call_soon(self._read_replies)
                    return
        except hiredis.ProtocolError as error:
            self._fail(RedisConnectionError(f"The store's reply is not RESP: {error}"))

    def _receive(self, reply: Any) -> None:
        self._expected -= 1
        if not self._expected and self._reader.has_data():
            self._fail(_unexpected())
            return
        self._note_progress()
        self._receiver.receive(reply)

    def _note_progress(self) -> None:
        # Not the loop's time: uvloop takes it at the start of an iteration, which may be long ago.
        self._progress_s = time.monotonic()
        self._is_overdue = False

    def _check_progress(self) -> None:
        self._timer = None
        if not self._expected or not self._is_open:
            return
        left_s = self._progress_s + self._timeout_s - time.monotonic()
        if left_s <= 0 and self._is_overdue:
            self._fail(RedisTimeoutError(f"The store did not reply for {self._timeout_s} s"))
            return
        self._is_overdue = left_s <= 0
        self._timer = self._loop.call_later(RECHECK_S if self._is_overdue else left_s, self._check_progress)

    def _fail(self, error: Exception) -> None:
        if self._is_open:
            self.close()
            self._receiver.disconnected(error)


def _unexpected() -> RedisConnectionError:
    return RedisConnectionError("The store sent more replies than it was asked for")


def _detach_writer(connection: AbstractConnection) -> asyncio.StreamWriter:
    """Take the stream away from redis-py, which has no public way to give it up.

    The writer must be kept, because it closes its transport when it is deleted.
    """
    writer = connection._writer  # noqa: SLF001
    connection._reader = connection._writer = None  # noqa: SLF001
    if writer is None:
        raise RedisConnectionError("The connection was closed while it was opened")
    return writer
