"""A collector of traces that speaks OTLP over HTTP, and the spans that it received."""

import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from unittest import mock

from aiohttp import web
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1 import trace_pb2

from settings import Settings
from storage.embedded.ports import free_port
from web.configuration.traces import open_traces

CLIENT_TRACE = "0af7651916cd43dd8448eb211c80319c"
CLIENT_SPAN = "b7ad6b7169203331"
TRACEPARENT = f"00-{CLIENT_TRACE}-{CLIENT_SPAN}-01"
PIPELINE = "onsale.pipeline_calls"
NOT_SAMPLED = f"00-{CLIENT_TRACE}-{CLIENT_SPAN}-00"


@dataclass(frozen=True, slots=True)
class ReceivedSpan:
    name: str
    kind: str
    trace_id: str
    span_id: str
    parent_id: str
    linked_traces: tuple[str, ...]
    attributes: dict[str, object]
    is_failed: bool
    service: str

    @property
    def comparable(self) -> tuple[object, ...]:
        """Return everything but the ids and the length of the pipeline, which depends on what other
        tasks do.
        """
        attributes = {name: value for name, value in self.attributes.items() if name != PIPELINE}
        return self.name, self.kind, sorted(attributes.items(), key=str), self.is_failed, self.service


@dataclass
class Collector:
    url: str
    status: int = 200
    spans: list[ReceivedSpan] = field(default_factory=list)
    requests: int = 0
    receive_with: Callable[[web.Request], Awaitable[web.Response]] | None = None
    """Set by a test that answers in another way."""

    async def handle(self, request: web.Request) -> web.Response:
        return await (self.receive_with or self.receive)(request)

    async def receive(self, request: web.Request) -> web.Response:
        self.requests += 1
        if self.status == 200:
            sent = ExportTraceServiceRequest.FromString(await request.read())
            self.spans += [span for resource in sent.resource_spans for span in _read(resource)]
        return web.Response(status=self.status)

    def named(self, name: str) -> ReceivedSpan:
        """Return the only span with this name."""
        (span,) = [span for span in self.spans if span.name == name]
        return span

    def of_trace(self, trace_id: str) -> list[ReceivedSpan]:
        return [span for span in self.spans if span.trace_id == trace_id]

    def path(self, span: ReceivedSpan) -> list[str]:
        """Return the names of the span and of its ancestors, from the outermost one."""
        parents = {found.span_id: found for found in self.of_trace(span.trace_id)}
        names = [span.name]
        while (parent := parents.get(span.parent_id)) is not None:
            span = parent
            names.insert(0, span.name)
        return names


@asynccontextmanager
async def running_collector(port: int = 0) -> AsyncIterator[Collector]:
    collector = Collector("")
    app = web.Application()
    app.router.add_post("/v1/traces", collector.handle)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", port or free_port()).start()
        collector.url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1/traces"
        yield collector
    finally:
        await runner.cleanup()


@asynccontextmanager
async def tracing_to(url: str, **variables: str) -> AsyncIterator[None]:
    """Trace this process within the block, with these variables of OpenTelemetry. At its end, all
    spans have been sent.
    """
    with _environment(**variables):
        async with open_traces(replace(Settings(), traces=url)):
            yield


@contextmanager
def _environment(**variables: str) -> Iterator[None]:
    others = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
    usual = {"OTEL_BSP_SCHEDULE_DELAY": "50"}
    with mock.patch.dict(os.environ, others | usual | variables, clear=True):
        yield


def _read(resource: trace_pb2.ResourceSpans) -> Iterator[ReceivedSpan]:
    service = str(_attributes(resource.resource.attributes)["service.name"])
    for scope in resource.scope_spans:
        for span in scope.spans:
            yield ReceivedSpan(
                name=span.name,
                kind=trace_pb2.Span.SpanKind.Name(span.kind).removeprefix("SPAN_KIND_"),
                trace_id=span.trace_id.hex(),
                span_id=span.span_id.hex(),
                parent_id=span.parent_span_id.hex(),
                linked_traces=tuple(link.trace_id.hex() for link in span.links),
                attributes=_attributes(span.attributes),
                is_failed=span.status.code == trace_pb2.Status.STATUS_CODE_ERROR,
                service=service,
            )


def _attributes(sent: Iterable[KeyValue]) -> dict[str, object]:
    return {one.key: _value(one.value) for one in sent}


def _value(sent: AnyValue) -> object:
    kind = sent.WhichOneof("value")
    assert kind is not None
    if kind == "array_value":
        return [_value(one) for one in sent.array_value.values]
    value: object = getattr(sent, kind)
    return value
