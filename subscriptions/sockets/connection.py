"""One graphql-transport-ws socket, from acceptance to close, on any wire.

The wire calls the connection for each message and the sweep for its deadlines, so an idle socket
has no task. A task lives only while connection_init is checked, an operation is started, or a
session is checked again. The socket is counted until it is closed and its tasks have ended.
"""

import asyncio
import logging
import time
from collections.abc import Coroutine
from contextvars import Context
from dataclasses import dataclass
from typing import Any, Generic

from domain.errors import SessionLost, TemporarilyUnavailable, Unauthenticated
from subscriptions.interfaces import Authenticator, C, Identified, OperationRunner, Recheck
from subscriptions.sockets import messages
from subscriptions.sockets.active_operations import ActiveOperation, ActiveOperations
from subscriptions.sockets.authentication import Upgrade, closing_for, hint_for_anonymous, identify
from subscriptions.sockets.caller_connections import refusal_of
from subscriptions.sockets.close_codes import CloseCode, shortened
from subscriptions.sockets.connection_limits import ConnectionCounter, TooManyConnections
from subscriptions.sockets.deadlines import NEVER, Deadlines, Due
from subscriptions.sockets.limits import Limits
from subscriptions.sockets.message_pace import Flood
from subscriptions.sockets.messages import Complete, Init, Malformed, Ping, Pong, Received, Subscribe
from subscriptions.sockets.outbox import Outbox
from subscriptions.sockets.reading import PauseReason, Reading
from subscriptions.sockets.sweep import Sweep
from subscriptions.sockets.wires.wire import EndReason, Wire
from telemetry import metrics

logger = logging.getLogger(__name__)


class Closing(Exception):
    """Raised to close the socket."""

    def __init__(self, code: CloseCode, reason: str) -> None:
        super().__init__(reason)
        self.code = code


_CLOSINGS = {
    Due.INIT: (CloseCode.CONNECTION_INIT_TIMEOUT, "Connection initialisation timeout"),
    Due.EXPIRY: (CloseCode.FORBIDDEN, "The access token has expired; reconnect with a new one"),
    Due.GIVE_UP: (CloseCode.GOING_AWAY, "The client did not answer a ping"),
    Due.SILENT: (CloseCode.TRY_AGAIN_LATER, "Another connection needs the place of this one, which did not answer"),
    Due.STUCK: (CloseCode.TRY_AGAIN_LATER, "The client stopped reading; reconnect and keep reading"),
}


@dataclass(frozen=True, slots=True)
class Services(Generic[C]):
    """The objects that all connections share."""

    runner: OperationRunner[C]
    authenticator: Authenticator[C]
    limits: Limits
    counter: ConnectionCounter
    sweep: Sweep


class Connection(Generic[C]):
    __slots__ = (
        "_address",
        "_caller",
        "_check",
        "_deadlines",
        "_has_left",
        "_is_closed",
        "_is_counted",
        "_operations",
        "_outbox",
        "_probe",
        "_reading",
        "_recheck",
        "_services",
        "_tasks",
        "_upgrade",
        "_wire",
        "due_s",
    )

    def __init__(self, services: Services[C], wire: Wire, upgrade: Upgrade, *, address: str | None) -> None:
        self.due_s = NEVER
        self._services = services
        self._wire = wire
        self._upgrade: Upgrade | None = upgrade
        self._address = address
        self._outbox = Outbox(wire)
        self._operations: ActiveOperations[C] = ActiveOperations(services.limits.operations_per_socket)
        self._deadlines = Deadlines(services.limits, _now_s())
        self._reading = Reading(wire, services.limits)
        self._caller: C | None = None
        self._recheck: Recheck | None = None
        self._check: asyncio.Task[None] | None = None
        self._probe: asyncio.Future[None] | None = None
        self._tasks = 0
        self._is_counted = self._is_closed = self._has_left = False

    async def admit(self) -> None:
        """Count the connection and begin to read its messages.

        Waits while silent sockets are probed, if a limit is reached.
        """
        counter = self._services.counter
        await counter.make_room_for_connection(self._address)
        if self._is_closed:
            return
        try:
            counter.enter_connection(self._address, self)
        except TooManyConnections as error:
            self._close(CloseCode.TRY_AGAIN_LATER, f"{error}; try again in a moment")
            return
        self._is_counted = True
        metrics.sockets_opened.add()
        self._deadlines.heard_s = _now_s()
        self._reschedule()
        self._services.sweep.add(self)
        self._reading.resume(PauseReason.ADMISSION)

    # Sink: the events of the wire

    def receive(self, message: bytes | None) -> None:
        if self._is_closed:
            return
        now_s = _now_s()
        self._deadlines.record_message(now_s)
        self._reschedule()
        self._end_probe()
        try:
            self._reading.count(now_s)
            self._handle(messages.parse(self._checked(message)))
        except Malformed as error:
            self._close(CloseCode.BAD_REQUEST, str(error))
        except Flood:
            self._close(CloseCode.TOO_MANY_REQUESTS, "Too many messages; send fewer per second")
        except Closing as closing:
            self._close(closing.code, str(closing))
        self._reading.on_handled(_now_s())

    def lost(self, reason: EndReason = EndReason.LEFT) -> None:
        self._finish(reason)

    def pause_writing(self) -> None:
        self._outbox.pause()
        if self._deadlines.paused_s is None and not self._is_closed:
            self._deadlines.paused_s = _now_s()
            self._reschedule()

    def resume_writing(self) -> None:
        if self._is_closed:
            return
        self._deadlines.paused_s = None
        self._outbox.resume()
        if not self._outbox.is_full:
            self._reading.resume(PauseReason.ANSWERS)

    # Messages from the client

    def _checked(self, message: bytes | None) -> bytes:
        if message is None:
            raise Malformed("The message is binary; send text")
        if len(message) > self._services.limits.message_bytes:
            raise Malformed(f"The message has more than {self._services.limits.message_bytes} bytes")
        return message

    def _handle(self, received: Received) -> None:
        match received:
            case Init():
                self._on_init(received)
            case Ping():
                self.on_answer(messages.pong(received.payload))
            case Pong():
                pass
            case Complete():
                self._operations.complete(received.id)
                if not self._operations.has_room:
                    self._reading.pause(PauseReason.OPERATIONS)
            case Subscribe():
                self._subscribe(received)

    def _subscribe(self, subscribe: Subscribe) -> None:
        if not self._deadlines.is_acknowledged:
            raise Closing(CloseCode.UNAUTHORIZED, "Unauthorized; send connection_init and wait for connection_ack")
        operations, services = self._operations, self._services
        if subscribe.id in operations:
            raise Closing(CloseCode.SUBSCRIBER_ALREADY_EXISTS, f"Subscriber for {subscribe.id} already exists")
        if operations.is_full:
            limit = services.limits.operations_per_socket
            message = f"{limit} operations are running on this socket; complete one first."
            self.on_answer(messages.error(subscribe.id, messages.errors(message, "RATE_LIMITED")))
            return
        operation = ActiveOperation(subscribe.id, self, self._outbox)
        operations.add(operation)
        self._start_task(
            operations.run(operation, subscribe, services.runner, caller=self._caller, address=self._address)
        )

    # OperationOwner: the events of the operations

    def on_answer(self, *answers: bytes) -> None:
        self._outbox.put(*answers)
        if self._outbox.is_full:
            self._reading.pause(PauseReason.ANSWERS)

    def on_finished(self, operation: ActiveOperation) -> None:
        self._operations.remove(operation)

    def on_overflow(self) -> None:
        self._close(*_CLOSINGS[Due.STUCK])

    # Authentication

    def _on_init(self, init: Init) -> None:
        upgrade, self._upgrade = self._upgrade, None
        if upgrade is None:
            raise Closing(CloseCode.TOO_MANY_REQUESTS, "Too many initialisation requests")
        self._deadlines.has_init = True
        self._reading.pause(PauseReason.INIT)
        self._start_task(self._initialize(init, upgrade), context=upgrade.context)

    async def _initialize(self, init: Init, upgrade: Upgrade) -> None:
        try:
            identified = await identify(init, upgrade, self._services.authenticator)
            await self._enter_caller(identified)
        except (Unauthenticated, SessionLost, TemporarilyUnavailable) as error:
            self._close(*closing_for(error))
        except TooManyConnections as error:
            self._close(CloseCode.TRY_AGAIN_LATER, f"{error}; try again in a moment")
        if self._is_closed:
            return
        self._acknowledge()
        self.on_answer(messages.ack(hint_for_anonymous(init, upgrade) if self._caller is None else None))
        self._reading.resume(PauseReason.INIT)

    async def _enter_caller(self, identified: Identified[C]) -> None:
        """Count the socket for its caller, and close it if the caller is refused.

        Raises TooManyConnections.
        """
        caller, counter = identified.caller, self._services.counter
        await counter.make_room_for_person(caller.person_id if caller else None)
        if self._is_closed:
            return
        self._recheck = identified.recheck
        counter.enter_caller(caller, self, self)
        self._caller = caller

    def _acknowledge(self) -> None:
        expires_at = self._caller.expires_at if self._caller else None
        expires_in_s = NEVER if expires_at is None else expires_at - time.time()
        self._deadlines.acknowledge(_now_s(), expires_in_s=expires_in_s)
        if self._recheck is not None:
            self._deadlines.recheck_s = _now_s() + self._recheck.delay_s()
        self._reschedule()

    async def _check_again(self, recheck: Recheck) -> None:
        try:
            await recheck.check()
        except (SessionLost, Unauthenticated, TemporarilyUnavailable) as error:
            self._close(*closing_for(error))
        else:
            self._deadlines.recheck_s = _now_s() + recheck.delay_s()
            self._reschedule()
        finally:
            self._check = None

    # Deadlines

    def on_due(self, now_s: float) -> None:
        """Implement `HasDeadline.on_due`."""
        if self._deadlines.next_s <= now_s:
            self._handle_deadline(self._deadlines.due(now_s))
        self._reading.forget_pace(now_s)
        self._reschedule()

    def _handle_deadline(self, due: Due) -> None:
        if due is Due.PING:
            self.on_answer(messages.ping())
        elif due is Due.RECHECK and self._recheck is not None:
            self._check = self._start_task(self._check_again(self._recheck))
        else:
            self._close(*_CLOSINGS[due])

    def _reschedule(self) -> None:
        self.due_s = NEVER if self._is_closed else self._deadlines.next_s

    @property
    def heard_s(self) -> float:
        return self._deadlines.heard_s

    def probe(self) -> "asyncio.Future[None]":
        """Implement `CountedConnection.probe`."""
        if self._probe is None:
            self._probe = asyncio.get_running_loop().create_future()
            if self._is_closed or not self._deadlines.probe(_now_s()):
                probe = self._probe
                self._end_probe()
                return probe
            self.on_answer(messages.ping())
            self._reschedule()
        return self._probe

    def _end_probe(self) -> None:
        if self._probe is not None:
            self._probe.set_result(None)
            self._probe = None

    # The end

    def end(self, reason: str) -> None:
        """Implement `EndableConnection.end`: the caller's token or session is no longer valid."""
        self._close(*closing_for(refusal_of(reason, of_session=self._recheck is not None)))

    def _close(self, code: CloseCode, reason: str) -> None:
        if self._is_closed:
            return
        self._finish(code.name)
        self._wire.close(int(code), shortened(reason))

    def _finish(self, reason: str) -> None:
        """End all operations. Writes to the stores still run to completion, as over HTTP."""
        if self._is_closed:
            return
        self._is_closed = True
        if self._is_counted:
            metrics.sockets_ended.add(reason)
        self._reschedule()
        self._services.sweep.discard(self)
        if self._check is not None:
            self._check.cancel()
        self._reading.stop()
        self._outbox.stop()
        self._operations.complete_all()
        self._leave_if_done()

    def _start_task(self, work: Coroutine[Any, Any, None], *, context: Context | None = None) -> asyncio.Task[None]:
        self._tasks += 1
        task = self._wire.start_task(work, context=context)
        task.add_done_callback(self._on_task_done)
        return task

    def _on_task_done(self, task: asyncio.Task[None]) -> None:
        self._tasks -= 1
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("a socket failed", exc_info=error)
            self._finish("FAILED")
            self._wire.abort()
        if self._operations.has_room:
            self._reading.resume(PauseReason.OPERATIONS)
        self._leave_if_done()

    def _leave_if_done(self) -> None:
        """Stop counting the socket once it is closed and its last task has ended."""
        if not self._is_closed or self._tasks or self._has_left:
            return
        self._has_left = True
        counter = self._services.counter
        if self._caller is not None:
            counter.leave_caller(self._caller, self, self)
        if self._is_counted:
            counter.leave_connection(self._address, self)
        # A new connection that is waiting for the probe can take the place of this one.
        self._end_probe()


def _now_s() -> float:
    return asyncio.get_running_loop().time()
