"""Traces: what was done for one request, as spans that a collector shows together.

While `active` is None, nothing is traced and OpenTelemetry is not imported. A trace that goes on in
another process is stored as its `traceparent`, in the form of W3C Trace Context.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from enum import Enum, auto
from typing import Protocol, TypeAlias

Attributes: TypeAlias = Mapping[str, str | int | Sequence[str]]
NONE: Attributes = {}

CONCERT_ID = "onsale.concert_id"
"""The attribute with the id of the concert to which a span belongs."""


class Kind(Enum):
    SERVER = auto()
    """A request that came from outside."""
    CLIENT = auto()
    """A call to a store."""
    INTERNAL = auto()


class Span(Protocol):
    """A span that has begun. No attribute may contain personal data or variables."""

    def set(self, attributes: Attributes) -> None: ...

    def fail(self, reason: str) -> None:
        """Mark the span as failed. `reason` is a code, or the type of an error."""

    def end(self) -> None:
        """End the span. If it was current, the span before it is current again."""


class Tracing(Protocol):
    """Begins spans, and knows which one is current in the running task."""

    @property
    def traceparent(self) -> str | None:
        """Return the `traceparent` of the current span, even if it has ended, or None."""
        ...

    @property
    def open_traceparent(self) -> str | None:
        """Return the `traceparent` of the current span, or None if it has ended: a task that
        outlives its request no longer belongs to it.
        """
        ...

    def begin(
        self,
        name: str,
        attributes: Attributes = NONE,
        *,
        kind: Kind = Kind.INTERNAL,
        parent: str | None = None,
        links: Iterable[str] = (),
        is_current: bool = True,
    ) -> Span:
        """Begin a span as a child of `parent`, a `traceparent`, or of the current span. Without
        either, or if `parent` is malformed, it begins a trace.

        A current span must be ended by the task that began it.
        """
        ...

    def begin_call(self, name: str, attributes: Attributes) -> Span | None:
        """Begin a span for a call of the current one, which stays current. Return None if no span
        is current, or if its trace is not sampled.
        """
        ...


active: Tracing | None = None
"""The tracing of this process, or None while it is off."""


def current_traceparent() -> str | None:
    return None if active is None else active.traceparent


def current_trace_id() -> str | None:
    """Return the trace of the current span as 32 hexadecimal digits, or None."""
    traceparent = None if active is None else active.open_traceparent
    return None if traceparent is None else traceparent.split("-")[1]


@contextmanager
def continue_trace(
    name: str, stored: str | None, attributes: Attributes = NONE, *, links: Iterable[str | None] = ()
) -> Iterator[Span | None]:
    """Run the block in a span of a stored trace, for work that a request has caused.

    If another span is current, such as that of a second request, the new span is its child and has
    a link to the stored trace. Without either, nothing is traced. Spans in `links` may be None.
    """
    current = None if active is None else active.open_traceparent
    if active is None or (stored is None and current is None):
        yield None
        return
    related = [link for link in links if link is not None]
    if current is not None and stored is not None:
        if not has_same_trace(current, stored):
            related.append(stored)
        stored = None
    span = active.begin(name, attributes, parent=stored, links=related)
    try:
        yield span
    except BaseException as error:
        span.fail(type(error).__name__)
        raise
    finally:
        span.end()


@contextmanager
def continue_traces(name: str, stored: Sequence[str | None]) -> Iterator[list[Span | None]]:
    """Run the block in a span of each stored trace, for work that is done for all of them at once.
    Yield the spans in the same order, or None for work without a trace. No span is current.
    """
    tracing = active
    spans = [
        None if tracing is None or parent is None else tracing.begin(name, parent=parent, is_current=False)
        for parent in stored
    ]
    begun = [span for span in spans if span is not None]
    try:
        yield spans
    except BaseException as error:
        for span in begun:
            span.fail(type(error).__name__)
        raise
    finally:
        for span in begun:
            span.end()


def has_same_trace(one: str, other: str) -> bool:
    return one.split("-")[1:2] == other.split("-")[1:2]
