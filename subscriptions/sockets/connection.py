"""One graphql-transport-ws socket, from acceptance to close.

The ASGI call reads messages and enforces the deadlines. One task writes, and each operation starts
in its own task. All tasks end before `run` returns.
"""

import asyncio
import contextlib
import time
from typing import Generic

from starlette.datastructures import Headers
from starlette.types import Message, Receive, Send

from domain.errors import SessionLost, TemporarilyUnavailable, Unauthenticated
from subscriptions.interfaces import Authenticator, C, Identified, OperationRunner, Recheck
from subscriptions.sockets import messages
from subscriptions.sockets.active_operations import ActiveOperations
from subscriptions.sockets.caller_connections import refusal_of
from subscriptions.sockets.close_codes import CloseCode, shortened
from subscriptions.sockets.connection_limits import ConnectionCounter, TooManyConnections
from subscriptions.sockets.deadlines import NEVER, Deadlines, Due
from subscriptions.sockets.limits import Limits
from subscriptions.sockets.message_pace import Flood, MessagePace
from subscriptions.sockets.messages import Complete, Init, Malformed, Ping, Pong, Received, Subscribe
from subscriptions.sockets.outbox import Outbox
from subscriptions.sockets.token_names import has_token_under_other_name

_CLOSE_WAIT_S = 5.0
_TOKEN_HINT = (
    "This socket is not signed in, because its access token was sent where it is not read."
    " Send `Authorization: Bearer <access token>` in the payload of connection_init."
)


class Closing(Exception):
    """Raised to close the socket."""

    def __init__(self, code: CloseCode, reason: str) -> None:
        super().__init__(reason)
        self.code = code


class ClientLeft(Exception):
    """Raised if the client closed the socket or the connection was lost."""


_CLOSINGS = {
    Due.INIT: (CloseCode.CONNECTION_INIT_TIMEOUT, "Connection initialisation timeout"),
    Due.EXPIRY: (CloseCode.FORBIDDEN, "The access token has expired; reconnect with a new one"),
    Due.GIVE_UP: (CloseCode.GOING_AWAY, "The client did not answer a ping"),
    Due.SILENT: (CloseCode.TRY_AGAIN_LATER, "Another connection needs the place of this one, which did not answer"),
}


class Connection(Generic[C]):
    def __init__(
        self,
        operations: OperationRunner[C],
        authenticator: Authenticator[C],
        limits: Limits,
        *,
        headers: Headers,
        connection_counter: ConnectionCounter,
        address: str | None,
        has_unread_token: bool = False,
    ) -> None:
        """Create the connection.

        `headers` are those of the upgrade request; `has_unread_token` means that they or the
        URL contain a token in a place where tokens are not read.
        """
        self._runner = operations
        self._authenticator = authenticator
        self._headers = headers
        self._limits = limits
        self._connection_counter = connection_counter
        self._address = address
        self._has_unread_token = has_unread_token
        self._caller: C | None = None
        self._recheck: Recheck | None = None
        self._check: asyncio.Task[None] | None = None
        self._clock = asyncio.get_running_loop().time
        self._deadlines = Deadlines(limits, self._clock())
        self._message_pace = MessagePace(limits, now_s=self._clock())
        self._probe: asyncio.Future[None] | None = None
        self._interruption: Closing | None = None
        self._receive_timeout: asyncio.Timeout | None = None

    async def run(self, receive: Receive, send: Send) -> None:
        """Serve the socket. Returns when it is closed and all its tasks have ended."""
        try:
            with contextlib.ExitStack() as self._counted:
                async with asyncio.TaskGroup() as tasks:
                    self._open(send, tasks)
                    await self._serve(receive, send)
        finally:
            # This socket is no longer counted, so a new connection waiting for the probe can take
            # its place.
            self._end_probe()

    async def _serve(self, receive: Receive, send: Send) -> None:
        try:
            await self._read_messages(receive)
        except Closing as closing:
            self._end()
            await _close(send, closing)
        except ClientLeft:
            pass
        finally:
            self._end()

    def _open(self, send: Send, tasks: asyncio.TaskGroup) -> None:
        limits = self._limits
        self._tasks = tasks
        self._outbox = Outbox(send, tasks, drain_wait_s=limits.drain_wait_s, on_stuck=self._interrupt_stuck)
        self._active: ActiveOperations[C] = ActiveOperations(
            self._runner,
            self._outbox,
            tasks,
            address=self._address,
            limit=limits.operations_per_socket,
            on_overflow=self._interrupt_stuck,
        )

    def _end(self) -> None:
        if self._check is not None:
            self._check.cancel()
        self._outbox.stop()
        self._active.complete_all()

    # Messages from the client

    async def _read_messages(self, receive: Receive) -> None:
        """Handle messages until the socket closes. Raises Closing or ClientLeft."""
        while True:
            started_s = self._clock()
            message = await self._next(receive)
            if message["type"] == "websocket.disconnect":
                raise ClientLeft
            now_s = self._clock()
            self._deadlines.record_message(now_s)
            self._end_probe()
            await self._keep_pace(now_s, waited_s=now_s - started_s)
            try:
                received = messages.parse(self._text(message))
            except Malformed as error:
                raise Closing(CloseCode.BAD_REQUEST, str(error)) from None
            await self._handle(received)

    async def _keep_pace(self, now_s: float, *, waited_s: float) -> None:
        """Count a message, and pause if the client sends too fast. Raises Closing on a flood."""
        try:
            read_again_s = self._message_pace.count(now_s, waited_s=waited_s)
        except Flood:
            raise Closing(CloseCode.TOO_MANY_REQUESTS, "Too many messages; send fewer per second") from None
        if read_again_s > now_s:
            await asyncio.sleep(read_again_s - now_s)

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
                await self._initialize(received)
            case Ping():
                self._outbox.put(messages.pong(received.payload))
            case Pong():
                pass
            case Complete():
                self._active.complete(received.id)
            case Subscribe():
                self._subscribe(received)

    def _subscribe(self, subscribe: Subscribe) -> None:
        if not self._deadlines.is_acknowledged:
            raise Closing(CloseCode.UNAUTHORIZED, "Unauthorized; send connection_init and wait for connection_ack")
        if subscribe.id in self._active:
            raise Closing(CloseCode.SUBSCRIBER_ALREADY_EXISTS, f"Subscriber for {subscribe.id} already exists")
        self._active.start(subscribe, self._caller)

    # Authentication

    async def _initialize(self, init: Init) -> None:
        if self._deadlines.is_acknowledged:
            raise Closing(CloseCode.TOO_MANY_REQUESTS, "Too many initialisation requests")
        identified = await self._identify(init)
        self._caller, self._recheck = caller, recheck = identified.caller, identified.recheck
        person_id = caller.person_id if caller else None
        await self._connection_counter.make_room_for_person(person_id)
        try:
            self._counted.enter_context(self._connection_counter.count_caller(caller, self, self))
        except TooManyConnections as error:
            raise Closing(CloseCode.TRY_AGAIN_LATER, f"{error}; try again in a moment") from None
        self._raise_interruption()
        expires_at = caller.expires_at if caller else None
        expires_in_s = NEVER if expires_at is None else expires_at - time.time()
        self._deadlines.acknowledge(self._clock(), expires_in_s=expires_in_s)
        if recheck is not None:
            self._deadlines.recheck_s = self._clock() + recheck.delay_s()
        has_unread_token = self._has_unread_token or has_token_under_other_name(init.payload)
        self._outbox.put(messages.ack(_TOKEN_HINT if caller is None and has_unread_token else None))

    async def _identify(self, init: Init) -> Identified[C]:
        given = [init.payload.get(name) for name in ("Authorization", "authorization")]
        tokens = [value for value in given if value is not None]
        # As over HTTP, two tokens are refused: an empty one, which is never valid, replaces them.
        authorization = (tokens[0] if len(tokens) == 1 else "") if tokens else None
        try:
            return await self._authenticator.identify_socket(self._headers, authorization)
        except (Unauthenticated, SessionLost, TemporarilyUnavailable) as error:
            raise _closing_for(error) from None

    async def _check_again(self, recheck: Recheck) -> None:
        try:
            await recheck.check()
        except (SessionLost, Unauthenticated, TemporarilyUnavailable) as error:
            self._interrupt(_closing_for(error))
        else:
            self._deadlines.recheck_s = self._clock() + recheck.delay_s()
            self._reschedule()

    # Deadlines

    async def _next(self, receive: Receive) -> Message:
        """Return the next message, and handle each deadline that passes before it arrives.

        Raises Closing.
        """
        while True:
            self._raise_interruption()
            try:
                async with asyncio.timeout_at(self._deadline_s) as self._receive_timeout:
                    await self._outbox.wait_for_space()
                    await self._active.wait_for_room()
                    message = await receive()
            except TimeoutError:
                self._handle_deadline()
            else:
                self._raise_interruption()
                return message
            finally:
                self._receive_timeout = None

    @property
    def _deadline_s(self) -> float:
        return 0 if self._interruption is not None else self._deadlines.next_s

    def _handle_deadline(self) -> None:
        self._raise_interruption()
        due = self._deadlines.due(self._clock())
        if due is Due.PING:
            self._outbox.put(messages.ping())
        elif due is Due.RECHECK and self._recheck is not None:
            self._check = self._tasks.create_task(self._check_again(self._recheck))
        else:
            raise Closing(*_CLOSINGS[due])

    @property
    def heard_s(self) -> float:
        return self._deadlines.heard_s

    def probe(self) -> "asyncio.Future[None]":
        """Implement `CountedConnection.probe`."""
        if self._probe is None:
            self._probe = asyncio.get_running_loop().create_future()
            if not self._deadlines.probe(self._clock()):
                probe = self._probe
                self._end_probe()
                return probe
            self._outbox.put(messages.ping())
            self._reschedule()
        return self._probe

    def _end_probe(self) -> None:
        if self._probe is not None:
            self._probe.set_result(None)
            self._probe = None

    def end(self, reason: str) -> None:
        """Implement `EndableConnection.end`: the caller's token or session is no longer valid."""
        self._interrupt(_closing_for(refusal_of(reason, of_session=self._recheck is not None)))

    def _interrupt_stuck(self) -> None:
        """Close the socket because the client does not read."""
        self._interrupt(Closing(CloseCode.TRY_AGAIN_LATER, "The client stopped reading; reconnect and keep reading"))

    def _interrupt(self, closing: Closing) -> None:
        """Close the socket from another task. The ASGI call may be waiting for a message."""
        self._interruption = self._interruption or closing
        self._reschedule()

    def _raise_interruption(self) -> None:
        if self._interruption is not None:
            raise self._interruption

    def _reschedule(self) -> None:
        if self._receive_timeout is not None:
            self._receive_timeout.reschedule(self._deadline_s)


def _closing_for(error: Unauthenticated | SessionLost | TemporarilyUnavailable) -> Closing:
    if isinstance(error, TemporarilyUnavailable):
        return Closing(CloseCode.TRY_AGAIN_LATER, str(error))
    # Clients tell a lost session from a bad token by the first word.
    prefix = "SESSION_LOST: " if isinstance(error, SessionLost) else ""
    return Closing(CloseCode.FORBIDDEN, f"{prefix}{error}")


async def _close(send: Send, closing: Closing) -> None:
    with contextlib.suppress(OSError, TimeoutError):
        async with asyncio.timeout(_CLOSE_WAIT_S):
            await send({"type": "websocket.close", "code": int(closing.code), "reason": shortened(str(closing))})
