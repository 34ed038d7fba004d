"""The spans of requests and of the operations in them."""

from collections.abc import Sequence

from telemetry.traces import Kind, Span, Tracing

MAX_NAME_CHARACTERS = 80
_SERVER_FAULTS = frozenset({"INTERNAL", "UNAVAILABLE", "TEMPORARILY_UNAVAILABLE"})


def find_traceparent(headers: Sequence[tuple[bytes, bytes]]) -> str | None:
    """Return the `traceparent` of a request, or None if it has none or several. Names of headers
    are in lower case.
    """
    found = [value for name, value in headers if name == b"traceparent"]
    return found[0].decode("latin-1") if len(found) == 1 else None


def begin_request(tracing: Tracing, method: str, path: str, traceparent: str | None) -> Span:
    attributes = {"http.request.method": method, "url.path": path}
    return tracing.begin(f"{method} {path}", attributes, kind=Kind.SERVER, parent=traceparent)


def end_request(span: Span, status: int | None) -> None:
    """End the span of a request. Without a status, the client got no answer."""
    if status is not None:
        span.set({"http.response.status_code": status})
    if status is None or status >= 500:
        span.fail("no answer" if status is None else str(status))
    span.end()


def begin_operation(tracing: Tracing, kind: str, name: str | None, *, listed_name: str | None) -> Span:
    """Begin the span of an operation. Only a listed name, of which there are few, is in the name of
    the span; clients choose the others.
    """
    attributes = {"graphql.operation.type": kind}
    if name is not None:
        attributes["graphql.operation.name"] = name[:MAX_NAME_CHARACTERS]
    return tracing.begin(kind if listed_name is None else f"{kind} {listed_name}", attributes)


def end_operation(span: Span, result: str, codes: Sequence[str]) -> None:
    """End the span of an operation with its result, as the metrics call it, and the codes of its
    errors.
    """
    span.set({"onsale.result": result, "onsale.codes": codes} if codes else {"onsale.result": result})
    fault = "canceled" if result == "canceled" else next((code for code in codes if code in _SERVER_FAULTS), None)
    if fault is not None:
        span.fail(fault)
    span.end()
