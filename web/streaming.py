"""Event streams on `/graphql`: counted with the sockets, and ended with the process."""

from contextlib import ExitStack

from starlette.types import ASGIApp, Receive, Scope, Send

from domain.errors import TemporarilyUnavailable
from resolvers.context import Context
from schema import Operation
from subscriptions.capacity import Capacity, Full
from subscriptions.limits import Limits
from subscriptions.operations import Outcome
from subscriptions.sse import EventStream
from web.refusals import unavailable
from web.starting import Starter

_RETRY_AFTER_S = 5


class EventStreams:
    def __init__(self, starter: Starter, *, limits: Limits, capacity: Capacity) -> None:
        self._starter = starter
        self._limits = limits
        self._capacity = capacity
        self._open: set[EventStream] = set()

    async def answer(self, operation: Operation, context: Context, *, may_mutate: bool) -> ASGIApp:
        """Starts the operation, and returns what streams its events. Raises Refused, or NotAQuery."""
        viewer = context.viewer
        with ExitStack() as held:
            try:
                held.enter_context(self._capacity.stream(context.address))
                held.enter_context(self._capacity.person(viewer.person_id if viewer else None))
            except Full as error:
                raise unavailable(TemporarilyUnavailable(str(error), retry_after_s=_RETRY_AFTER_S)) from error
            stream = EventStream(self._limits, expires_at=viewer.expires_at if viewer else None)
            outcome = await self._starter.begin(operation, context, stream.deliver, may_mutate=may_mutate)
            return self._app(stream, outcome, held.pop_all())

    def end(self) -> None:
        """This process ends: clients shall go to another one."""
        for stream in self._open:
            stream.cut()

    def _app(self, stream: EventStream, outcome: Outcome, held: ExitStack) -> ASGIApp:
        async def serve(scope: Scope, receive: Receive, send: Send) -> None:
            self._open.add(stream)
            try:
                with held:
                    await stream.serve(outcome, receive, send)
            finally:
                self._open.discard(stream)

        return serve
