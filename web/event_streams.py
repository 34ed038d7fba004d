"""Event streams on `/graphql`.

They count toward the same limits as sockets, and end when the process stops.
"""

from contextlib import ExitStack

from starlette.types import ASGIApp, Receive, Scope, Send

from domain.errors import TemporarilyUnavailable
from resolvers.context import Context
from schema import Operation
from subscriptions.interfaces import Outcome, Recheck
from subscriptions.sockets.connection_limits import ConnectionCounter, TooManyConnections
from subscriptions.sockets.limits import Limits
from subscriptions.sse import EventStream
from telemetry import metrics
from web.http_errors import unavailable_error
from web.operation_runner import HubOperationRunner

_RETRY_AFTER_S = 5


class EventStreams:
    def __init__(self, runner: HubOperationRunner, *, limits: Limits, connection_counter: ConnectionCounter) -> None:
        self._runner = runner
        self._limits = limits
        self._connection_counter = connection_counter
        self._open: set[EventStream] = set()

    async def answer(
        self, operation: Operation, context: Context, *, may_mutate: bool, recheck: Recheck | None = None
    ) -> ASGIApp:
        """Start the operation, and return the ASGI application that streams its events.

        `recheck` checks the viewer's session again while the stream is open.

        Raises HttpError if a connection limit is reached, Unauthenticated or SessionLost if the
        viewer's session has just ended, or NotAQuery for a mutation that is not allowed.
        """
        viewer, counter = context.viewer, self._connection_counter
        person_id = viewer.person_id if viewer else None
        stream = EventStream(self._limits, expires_at=viewer.expires_at if viewer else None, recheck=recheck)
        with ExitStack() as held:
            try:
                await counter.make_room_for_connection(context.address)
                held.enter_context(counter.count_connection(context.address))
                await counter.make_room_for_person(person_id)
                held.enter_context(counter.count_caller(viewer, stream))
            except TooManyConnections as error:
                raise unavailable_error(TemporarilyUnavailable(str(error), retry_after_s=_RETRY_AFTER_S)) from error
            if stream.refusal is not None:
                raise stream.refusal
            outcome = await self._runner.start_operation(operation, context, stream.deliver, may_mutate=may_mutate)
            return self._app(stream, outcome, held.pop_all())

    def stop_all(self) -> None:
        """End all streams when this process stops. Clients reconnect to another process."""
        for stream in self._open:
            stream.stop()

    def _app(self, stream: EventStream, outcome: Outcome, held: ExitStack) -> ASGIApp:
        async def serve(scope: Scope, receive: Receive, send: Send) -> None:
            self._open.add(stream)
            metrics.streams_opened.add()
            try:
                with held:
                    await stream.serve(outcome, receive, send)
            finally:
                self._open.discard(stream)
                metrics.streams_ended.add()

        return serve
