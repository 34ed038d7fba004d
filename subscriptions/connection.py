"""One socket that speaks graphql-transport-ws, from its acceptance to its close.

The ASGI call reads, and keeps the time; one task writes; operations run in tasks of their own until a subscription is
watched, which costs none. All of them end with `run`.
"""

import asyncio
import contextlib
import logging
import time
from typing import Generic

from starlette.types import Message, Receive, Send

from domain.errors import TemporarilyUnavailable, Unauthenticated
from subscriptions import messages
from subscriptions.capacity import Capacity, Full
from subscriptions.close_codes import CloseCode, shortened
from subscriptions.limits import Limits
from subscriptions.live import Live
from subscriptions.messages import Complete, Init, Malformed, Ping, Pong, Received, Subscribe
from subscriptions.operations import Answered, C, Operations, Rejected, Verifier
from subscriptions.outbox import Outbox
from subscriptions.pace import Pace
from subscriptions.sources import Rendered

logger = logging.getLogger(__name__)

_CLOSE_WAIT_S = 5.0
_NEVER = float("inf")


class Closing(Exception):
    """We close the socket."""

    def __init__(self, code: CloseCode, reason: str) -> None:
        super().__init__(reason)
        self.code = code


class Left(Exception):
    """The client closed the socket, or it broke."""


class Connection(Generic[C]):
    def __init__(
        self,
        operations: Operations[C],
        verifier: Verifier[C],
        limits: Limits,
        *,
        capacity: Capacity,
        address: str | None,
    ) -> None:
        self._operations = operations
        self._verifier = verifier
        self._limits = limits
        self._capacity = capacity
        self._address = address
        self._caller: C | None = None
        self._is_acknowledged = False
        self._lives: dict[str, Live] = {}
        self._running = 0
        self._clock = asyncio.get_running_loop().time
        now_s = self._clock()
        self._pace = Pace(limits.messages_per_s, burst=limits.messages_burst, now_s=now_s)
        self._init_due_s = now_s + limits.init_wait_s
        self._expires_s = _NEVER
        self._heard_s = now_s
        self._pinged_s: float | None = None
        self._is_stuck = False
        self._patience: asyncio.Timeout | None = None

    async def run(self, receive: Receive, send: Send) -> None:
        """Returns when the socket is closed and nothing of it runs any more."""
        with contextlib.ExitStack() as self._held:
            async with asyncio.TaskGroup() as self._tasks:
                self._outbox = Outbox(
                    send, self._tasks, drain_wait_s=self._limits.drain_wait_s, on_stuck=self._interrupt
                )
                try:
                    await self._converse(receive)
                except Closing as closing:
                    self._end()
                    await _close(send, closing)
                except Left:
                    pass
                finally:
                    self._end()

    def _end(self) -> None:
        """What is being written to stores goes on to its end, as over HTTP; nobody hears of it."""
        self._outbox.stop()
        for live in list(self._lives.values()):
            live.finish()

    # What the client says

    async def _converse(self, receive: Receive) -> None:
        """Raises Closing or Left."""
        while True:
            message = await self._next(receive)
            if message["type"] == "websocket.disconnect":
                raise Left
            now_s = self._clock()
            self._heard_s, self._pinged_s = now_s, None
            if not self._pace.allows(now_s):
                raise Closing(CloseCode.TOO_MANY_REQUESTS, "Too many messages; send fewer per second")
            try:
                received = messages.parse(self._text(message))
            except Malformed as error:
                raise Closing(CloseCode.BAD_REQUEST, str(error)) from None
            await self._handle(received)

    def _text(self, message: Message) -> bytes:
        text = message.get("text")
        if text is None:
            raise Malformed("The message is binary; send text")
        encoded: bytes = text.encode()
        if len(encoded) > self._limits.message_bytes:
            raise Malformed(f"The message has more than {self._limits.message_bytes} bytes")
        return encoded

    async def _handle(self, received: Received) -> None:
        match received:
            case Init():
                await self._initialise(received)
            case Ping():
                self._outbox.put(messages.pong(received.payload))
            case Pong():
                pass
            case Complete():
                live = self._lives.get(received.id)
                if live is not None:
                    live.finish()
            case Subscribe():
                self._subscribe(received)

    # Who the client is

    async def _initialise(self, init: Init) -> None:
        if self._is_acknowledged:
            raise Closing(CloseCode.TOO_MANY_REQUESTS, "Too many initialisation requests")
        self._caller = await self._verified(init)
        try:
            self._held.enter_context(self._capacity.person(self._caller.person_id if self._caller else None))
        except Full as error:
            raise Closing(CloseCode.TRY_AGAIN_LATER, str(error)) from None
        if self._caller is not None and self._caller.expires_at is not None:
            self._expires_s = self._clock() + self._caller.expires_at - time.time()
        self._is_acknowledged = True
        self._outbox.put(messages.ack())

    async def _verified(self, init: Init) -> C | None:
        given = init.payload.get("Authorization", init.payload.get("authorization"))
        if given is None:
            return None
        scheme, _, token = given.partition(" ") if isinstance(given, str) else ("", "", "")
        if scheme.lower() != "bearer" or not token.strip():
            raise Closing(CloseCode.FORBIDDEN, "`Authorization` is malformed; send `Bearer <access token>`")
        try:
            return await self._verifier.verify(token.strip())
        except Unauthenticated as error:
            raise Closing(CloseCode.FORBIDDEN, str(error)) from None
        except TemporarilyUnavailable as error:
            raise Closing(CloseCode.TRY_AGAIN_LATER, str(error)) from None

    # What the client asks for

    def _subscribe(self, subscribe: Subscribe) -> None:
        if not self._is_acknowledged:
            raise Closing(CloseCode.UNAUTHORIZED, "Unauthorized; send connection_init and wait for connection_ack")
        if subscribe.id in self._lives:
            raise Closing(CloseCode.SUBSCRIBER_ALREADY_EXISTS, f"Subscriber for {subscribe.id} already exists")
        most = self._limits.operations_per_socket
        # What a client gave up may still be running.
        if max(len(self._lives), self._running) >= most:
            message = f"{most} operations are running on this socket; complete one first."
            self._outbox.put(messages.error(subscribe.id, messages.errors(message, "RATE_LIMITED")))
            return
        live = self._lives[subscribe.id] = Live(subscribe.id, self._forget)
        self._running += 1
        self._tasks.create_task(self._start(live, subscribe))

    def _forget(self, live: Live) -> None:
        del self._lives[live.id]

    async def _start(self, live: Live, subscribe: Subscribe) -> None:
        def deliver(rendered: Rendered) -> None:
            if not live.is_over:
                live.newest.show(rendered)
                self._outbox.mark(live)
                if live.newest.is_full:
                    self._interrupt()

        try:
            outcome = await self._operations.start(subscribe.asked, deliver, caller=self._caller, address=self._address)
        except Exception:
            logger.exception("an operation failed to start")
            outcome = Rejected(messages.errors("Something went wrong on our side.", "INTERNAL"))
        finally:
            self._running -= 1
        match outcome:
            case Answered() | Rejected() if live.is_over:
                pass
            case Answered():
                live.finish()
                self._outbox.put(messages.next_(live.id, outcome.payload), messages.complete(live.id))
            case Rejected():
                live.finish()
                self._outbox.put(messages.error(live.id, outcome.errors))
            case watch:
                live.attach(watch)

    # What time it is

    async def _next(self, receive: Receive) -> Message:
        """The next message; until it comes, whatever is due is done. Raises Closing."""
        while True:
            try:
                async with asyncio.timeout_at(self._due_s()) as self._patience:
                    await self._outbox.room()
                    return await receive()
            except TimeoutError:
                self._do_what_is_due()
            finally:
                self._patience = None

    def _due_s(self) -> float | None:
        if self._is_stuck:
            return 0
        if not self._is_acknowledged:
            return self._init_due_s
        ping_s = self._heard_s + self._limits.ping_after_s
        return min(self._expires_s, ping_s if self._pinged_s is None else self._pinged_s + self._limits.pong_wait_s)

    def _do_what_is_due(self) -> None:
        now_s = self._clock()
        if self._is_stuck:
            raise Closing(CloseCode.TRY_AGAIN_LATER, "Nothing was read for too long; come back and read")
        if not self._is_acknowledged:
            raise Closing(CloseCode.CONNECTION_INIT_TIMEOUT, "Connection initialisation timeout")
        if now_s >= self._expires_s:
            raise Closing(CloseCode.FORBIDDEN, "The access token has expired; come back with a new one")
        if self._pinged_s is None:
            self._pinged_s = now_s
            self._outbox.put(messages.ping())
        else:
            raise Closing(CloseCode.GOING_AWAY, "No answer to a ping")

    def _interrupt(self) -> None:
        """The client reads nothing; the ASGI call finds out now, even if it waits for a message."""
        self._is_stuck = True
        if self._patience is not None:
            self._patience.reschedule(0)


async def _close(send: Send, closing: Closing) -> None:
    with contextlib.suppress(OSError, TimeoutError):
        async with asyncio.timeout(_CLOSE_WAIT_S):
            await send({"type": "websocket.close", "code": int(closing.code), "reason": shortened(str(closing))})
