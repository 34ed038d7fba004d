"""Sends spans to a collector with the SDK of OpenTelemetry. Imported only while traces are on.

The SDK reads its settings from the standard variables (`OTEL_*`). Spans wait in its bounded queue;
if the collector is slow or unreachable, the oldest ones are lost, and nothing else waits.
"""

import asyncio
import logging
import os
import threading
from collections.abc import Callable, Iterable, Sequence
from urllib.parse import urlsplit

from opentelemetry import context, trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from telemetry.outage_log import OutageLog
from telemetry.traces import NONE, Attributes, Kind

log = logging.getLogger(__name__)

CLOSE_WITHIN_S = 2.0
"""How long the last spans may take when the process stops. After that, they are lost."""
_KINDS = {
    Kind.SERVER: trace.SpanKind.SERVER,
    Kind.CLIENT: trace.SpanKind.CLIENT,
    Kind.INTERNAL: trace.SpanKind.INTERNAL,
}
_EXPORTER_LOGGER = logging.getLogger("opentelemetry.exporter.otlp.proto.http.trace_exporter")
_QUEUE_LOGGER = logging.getLogger("opentelemetry.sdk._shared_internal")
_propagator = TraceContextTextMapPropagator()


class OpenTelemetry:
    """The tracing of a process; `aclose` sends the spans that still wait."""

    def __init__(self, url: str) -> None:
        """`url` is the address to which spans are posted."""
        self._exporter = _Exporter(url)
        self._provider = TracerProvider(resource=_make_resource(), shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(self._exporter))
        self._tracer = self._provider.get_tracer("onsale")

    @property
    def traceparent(self) -> str | None:
        return _traceparent_of(trace.get_current_span())

    @property
    def open_traceparent(self) -> str | None:
        span = trace.get_current_span()
        # A span that is not sampled is not readable, so it does not say whether it has ended.
        has_ended = isinstance(span, ReadableSpan) and not span.is_recording()
        return None if has_ended else _traceparent_of(span)

    def begin(
        self,
        name: str,
        attributes: Attributes = NONE,
        *,
        kind: Kind = Kind.INTERNAL,
        parent: str | None = None,
        links: Iterable[str] = (),
        is_current: bool = True,
    ) -> "_Span":
        span = self._tracer.start_span(
            name,
            None if parent is None else _read(parent),
            _KINDS[kind],
            attributes,
            [trace.Link(found) for link in links if (found := _context_of(link)).is_valid],
        )
        return _Span(span, is_current=is_current)

    def begin_call(self, name: str, attributes: Attributes) -> "_Span | None":
        if not trace.get_current_span().is_recording():
            return None
        return _Span(self._tracer.start_span(name, None, trace.SpanKind.CLIENT, attributes), is_current=False)

    async def aclose(self) -> None:
        """Send the spans that wait, within two seconds. Others are lost."""
        loop, sent = asyncio.get_running_loop(), asyncio.Event()

        def finish() -> None:
            self._provider.shutdown()
            # The loop may have ended in the meantime.
            if not loop.is_closed():
                loop.call_soon_threadsafe(sent.set)

        # A thread of the loop's executor would have to end before the process can.
        threading.Thread(target=finish, name="last spans", daemon=True).start()
        try:
            async with asyncio.timeout(CLOSE_WITHIN_S):
                await sent.wait()
        except TimeoutError:
            log.warning("the collector of spans does not answer, so the last ones are lost")
            self._exporter.shutdown()


class _Span:
    __slots__ = ("_span", "_token")

    def __init__(self, span: trace.Span, *, is_current: bool) -> None:
        self._span = span
        self._token = context.attach(trace.set_span_in_context(span)) if is_current else None

    def set(self, attributes: Attributes) -> None:
        self._span.set_attributes(attributes)

    def fail(self, reason: str) -> None:
        self._span.set_attribute("error.type", reason)
        self._span.set_status(trace.StatusCode.ERROR)

    def end(self) -> None:
        self._span.end()
        if self._token is not None:
            context.detach(self._token)


class _Exporter(SpanExporter):
    """Exports spans, and logs an outage of the collector once instead of each failure."""

    def __init__(self, url: str) -> None:
        self._exporter: SpanExporter = OTLPSpanExporter(endpoint=url)
        self._is_shut = False
        self._reason = ""
        self._lock = threading.Lock()
        """The queue reports from the threads that end spans, and the exporter from its own."""
        self._outage = OutageLog(log, f"sending spans to {_host_of(url)}")
        self._filters = (_Intercepted(self._note_reason), _Intercepted(self._note_full_queue))
        _EXPORTER_LOGGER.addFilter(self._filters[0])
        _QUEUE_LOGGER.addFilter(self._filters[1])

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        if self._is_shut:
            return SpanExportResult.FAILURE
        result = self._exporter.export(spans)
        with self._lock:
            if result is SpanExportResult.SUCCESS:
                self._outage.succeeded("queue")
                self._outage.succeeded("collector")
            elif not self._is_shut:
                self._outage.failed("collector", self._reason, about=f"{len(spans)} spans are lost")
        return result

    def shutdown(self) -> None:
        if not self._is_shut:
            self._is_shut = True
            self._exporter.shutdown()
            _EXPORTER_LOGGER.removeFilter(self._filters[0])
            _QUEUE_LOGGER.removeFilter(self._filters[1])

    def _note_reason(self, record: logging.LogRecord) -> None:
        self._reason = record.getMessage()

    def _note_full_queue(self, record: logging.LogRecord) -> None:
        with self._lock:
            self._outage.failed("queue", record.getMessage())


class _Intercepted(logging.Filter):
    """Passes the records of a library's logger to a function, and drops them."""

    def __init__(self, note: Callable[[logging.LogRecord], None]) -> None:
        super().__init__()
        self._note = note

    def filter(self, record: logging.LogRecord) -> bool:
        self._note(record)
        return False


def _make_resource() -> Resource:
    """Return what the standard variables say about this process. Its default name is `onsale`."""
    resource = Resource.create({"process.pid": os.getpid()})
    if str(resource.attributes[SERVICE_NAME]).startswith("unknown_service"):
        resource = resource.merge(Resource({SERVICE_NAME: "onsale"}))
    return resource


def _traceparent_of(span: trace.Span) -> str | None:
    found = span.get_span_context()
    return f"00-{found.trace_id:032x}-{found.span_id:016x}-{found.trace_flags:02x}" if found.is_valid else None


def _read(traceparent: str) -> context.Context:
    """Return a context with the span of a `traceparent`, or an empty one if it is malformed."""
    return _propagator.extract({"traceparent": traceparent})


def _context_of(traceparent: str) -> trace.SpanContext:
    return trace.get_current_span(_read(traceparent)).get_span_context()


def _host_of(url: str) -> str:
    """Return the host and the port of a URL, which may also contain a password."""
    return urlsplit(url).netloc.rpartition("@")[2]
