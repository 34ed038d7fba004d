"""The only connection of this process to the broker, shared by all subscriptions.

broadcaster distributes the messages of a channel. We use our own backend, because the one in
broadcaster loses subscribers and stops without an error after an outage. Ours owns its connection,
reconnects, and then sends GAP on every channel. A message only sets a flag that makes its listener
read the state again, so message queues stay short unless the event loop is slow.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from typing import Any, cast

from broadcaster import Broadcast, BroadcastBackend, Event
from redis.asyncio.connection import AbstractConnection, ConnectionPool
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError
from redis.exceptions import TimeoutError as RedisTimeoutError

from telemetry.outage_log import OutageLog

log = logging.getLogger(__name__)
_outage = OutageLog(log, "the connection to the broker")
"""All feeds of this process share one log, because they depend on the same broker."""

GAP = "gap"
"""Sent to a listener if messages may have been lost, so that the listener reads everything."""
SILENCE_S = 5.0
"""The duration of silence after which a ping checks the connection."""
RECONNECT_PAUSE_S = 0.25

HintHandler = Callable[[str], None]


class HintsBackend(BroadcastBackend):
    """A backend for broadcaster.

    `next_published` never raises and is the only reader of the connection.
    """

    def __init__(self, url: str) -> None:
        self._pool = ConnectionPool.from_url(
            url, retry=Retry(NoBackoff(), 0), protocol=2, socket_connect_timeout=SILENCE_S, client_name="onsale-feed"
        )
        self._channels: set[str] = set()
        self._pending: deque[Event] = deque()
        self._connection: AbstractConnection | None = None

    async def connect(self) -> None:
        """Do nothing, because the first read connects.

        A process can therefore start while the broker is unavailable.
        """

    async def disconnect(self) -> None:
        _outage.forget(self)
        await self._drop()
        await self._pool.aclose()

    async def subscribe(self, channel: str) -> None:
        self._channels.add(channel)
        await self._send("SUBSCRIBE", channel)

    async def unsubscribe(self, channel: str) -> None:
        self._channels.discard(channel)
        await self._send("UNSUBSCRIBE", channel)

    async def publish(self, channel: str, message: Any) -> None:
        raise RuntimeError("hints are published by scripts, in the step that changes the state")

    async def next_published(self) -> Event:
        while True:
            if self._pending:
                return self._pending.popleft()
            try:
                event = await self._read()
            except (RedisError, OSError) as error:
                _outage.failed(self, error)
                await self._drop()
                await asyncio.sleep(RECONNECT_PAUSE_S)
            else:
                _outage.succeeded(self)
                if event is not None:
                    return event

    async def _read(self) -> Event | None:
        connection = self._connection or await self._open()
        reply = await self._next_reply(connection)
        if reply is None:
            await connection.send_command("PING")
            reply = await self._next_reply(connection)
        if reply is None:
            raise RedisTimeoutError("the broker did not answer a PING")
        kind, *rest = reply
        return Event(rest[0].decode(), rest[1].decode()) if kind == b"message" else None

    async def _next_reply(self, connection: AbstractConnection) -> list[Any] | None:
        """Return the next reply, or None if none arrived within SILENCE_S."""
        try:
            reply = await connection.read_response(timeout=SILENCE_S, disconnect_on_error=False)
        except RedisTimeoutError:
            return None
        return cast(list[Any] | None, reply)

    async def _open(self) -> AbstractConnection:
        connection = cast(AbstractConnection, self._pool.make_connection())
        try:
            await connection.connect()
            # From here on, new subscriptions use this connection.
            self._connection = connection
            if self._channels:
                await connection.send_command("SUBSCRIBE", *self._channels)
        except BaseException:
            await connection.disconnect(nowait=True)
            raise
        self._pending.extend(Event(channel, GAP) for channel in self._channels)
        return connection

    async def _send(self, command: str, channel: str) -> None:
        if self._connection is None:
            return
        try:
            await self._connection.send_command(command, channel)
        except (RedisConnectionError, RedisTimeoutError, OSError):
            # The reader gets the same error and subscribes to all channels again.
            return

    async def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.disconnect(nowait=True)


class Feed:
    """Owns a task for each channel with a listener.

    A channel has one listener, because the hub has one publisher per concert.
    """

    def __init__(self, url: str) -> None:
        self._backend = HintsBackend(url)
        self._broadcast = Broadcast(backend=self._backend)
        self._listening: dict[str, asyncio.Task[None]] = {}
        # broadcaster loses subscribers if several of them subscribe concurrently to a channel that
        # had none.
        self._lock = asyncio.Lock()

    async def start(self) -> None:
        await self._broadcast.connect()

    def listen(self, channel: str, on_message: HintHandler) -> None:
        """Call `on_message` with each message, and with GAP if messages may have been lost."""
        self._listening[channel] = asyncio.create_task(self._drain(channel, on_message))

    async def stop_listening(self, channel: str) -> None:
        task = self._listening.pop(channel)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    async def aclose(self) -> None:
        for channel in list(self._listening):
            await self.stop_listening(channel)
        try:
            await self._broadcast.disconnect()
        except asyncio.CancelledError:
            # broadcaster re-raises the error of its own listener, which is CancelledError if all
            # tasks were canceled before this call.
            await self._backend.disconnect()
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise

    def queued_messages(self) -> int:
        """Return the number of messages that no listener has received yet."""
        # broadcaster provides no public access to its queues.
        subscribers = self._broadcast._subscribers  # noqa: SLF001
        queues = [queue for queues in subscribers.values() for queue in queues]
        return sum(queue.qsize() for queue in queues)

    async def _drain(self, channel: str, on_message: HintHandler) -> None:
        subscription = self._broadcast.subscribe(channel)
        async with self._lock:
            subscriber = await subscription.__aenter__()
        try:
            # Hints published before the subscription were not received.
            on_message(GAP)
            while True:
                on_message((await subscriber.get()).message)
        finally:
            async with self._lock:
                await subscription.__aexit__(None, None, None)
