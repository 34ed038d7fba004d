"""Starts operations for the transports that can send several responses.

A subscription is passed to the hub; a query or mutation is answered. All failures are returned as
GraphQL errors, except that NotAQuery is raised if the transport does not allow mutations.
"""

import logging
import secrets

import orjson

from auth.viewer import Viewer
from domain.errors import OnsaleError
from resolvers.context import Context, Resources
from resolvers.snapshots import read_past_snapshots
from schema import Engine, NotAQuery, Operation, OperationResult, error_result
from subscriptions.hub import Hub
from subscriptions.interfaces import Answered, Deliver, Ended, OperationRequest, Outcome, Rejected, Source
from telemetry import traces
from web import logs
from web.http_errors import HttpError, internal_error
from web.request_parsing import build_operation

logger = logging.getLogger(__name__)


class HubOperationRunner:
    def __init__(self, resources: Resources, hub: Hub, engine: Engine) -> None:
        self._resources = resources
        self._hub = hub
        self._engine = engine

    async def start(
        self, request: OperationRequest, deliver: Deliver, *, caller: Viewer | None, address: str | None
    ) -> Outcome:
        """Start an operation that a socket received, and return its outcome.

        Each operation has its own request id and runs in its own task.
        """
        request_id = secrets.token_hex(8)
        logs.request_id.set(request_id)
        span = None if traces.active is None else _begin_span(traces.active, request)
        try:
            operation = build_operation(request)
            return await self.start_operation(operation, self._resources.context(caller, request_id, address), deliver)
        except HttpError as refused:
            return _rejected(refused.payload(request_id))
        finally:
            if span is not None:
                span.end()

    async def start_operation(
        self, operation: Operation, context: Context, deliver: Deliver, *, may_mutate: bool = True
    ) -> Outcome:
        """Start an operation and return its outcome.

        Raises NotAQuery for a mutation that is not allowed, before anything is executed.
        """
        try:
            started = await self._engine.starter.start(operation, context, may_mutate=may_mutate)
            if isinstance(started, OperationResult):
                return _outcome(started)
            return await self._subscribe(started, context, deliver)
        except OnsaleError as error:
            return _outcome(error_result(error, context))
        except NotAQuery:
            raise
        except Exception:
            logger.exception("an operation failed to start")
            return _rejected(internal_error(context.request_id).payload(context.request_id))

    async def _subscribe(self, source: Source, context: Context, deliver: Deliver) -> Outcome:
        """Pass the subscription to the hub. If its concert is over, answer it once or end it."""
        past = await read_past_snapshots(context, source.topic)
        if past is None:
            return await self._hub.subscribe(source, deliver)
        return Answered((await source.render(past[0])).payload) if past else Ended()


def _begin_span(tracing: traces.Tracing, request: OperationRequest) -> traces.Span:
    """Begin the span of a socket's operation. A client sends its trace in the extensions, because
    the messages of a socket have no headers.
    """
    sent = request.extensions.get("traceparent")
    return tracing.begin("subscribe", kind=traces.Kind.SERVER, parent=sent if isinstance(sent, str) else None)


def _outcome(answer: OperationResult) -> Outcome:
    return Answered(orjson.dumps(answer.payload)) if "data" in answer.payload else _rejected(answer.payload)


def _rejected(payload: dict[str, object]) -> Rejected:
    return Rejected(orjson.dumps(payload["errors"]))
