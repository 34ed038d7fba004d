"""Work that a request has caused continues its stored trace, or is linked to it."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from telemetry import traces
from telemetry.traces import continue_trace, continue_traces, current_traceparent
from tests.support.traces import (
    CLIENT_SPAN,
    CLIENT_TRACE,
    NOT_SAMPLED,
    TRACEPARENT,
    Collector,
    running_collector,
    tracing_to,
)

OTHER_TRACE = "c" * 32
OTHER = f"00-{OTHER_TRACE}-{'d' * 16}-01"


@pytest_asyncio.fixture
async def collector() -> AsyncIterator[Collector]:
    async with running_collector() as made:
        yield made


async def test_stored_trace_is_continued_with_links(collector: Collector) -> None:
    async with tracing_to(collector.url):
        outer = continue_trace("step", TRACEPARENT, {"onsale.concert_id": "c1"}, links=[OTHER, None])
        with outer, continue_trace("inner", TRACEPARENT):
            assert traces.current_trace_id() == CLIENT_TRACE
        assert current_traceparent() is None
    step, inner = collector.named("step"), collector.named("inner")
    assert (step.trace_id, step.parent_id, step.linked_traces) == (CLIENT_TRACE, CLIENT_SPAN, (OTHER_TRACE,))
    assert step.attributes == {"onsale.concert_id": "c1"}
    assert (inner.trace_id, inner.parent_id, inner.linked_traces) == (CLIENT_TRACE, step.span_id, ())


async def test_work_within_another_request_belongs_to_it_and_is_linked(collector: Collector) -> None:
    async with tracing_to(collector.url):
        with continue_trace("cancel", OTHER), continue_trace("step", TRACEPARENT):
            pass
    step = collector.named("step")
    assert (step.trace_id, step.linked_traces) == (OTHER_TRACE, (CLIENT_TRACE,))
    assert step.parent_id == collector.named("cancel").span_id


async def test_task_that_outlives_its_request_continues_the_stored_trace(collector: Collector) -> None:
    async with tracing_to(collector.url):
        is_over, found = asyncio.Event(), list[str | None]()

        async def outlive() -> None:
            await is_over.wait()
            found.extend((current_traceparent(), traces.current_trace_id()))
            with continue_trace("after", TRACEPARENT):
                pass

        with continue_trace("request", OTHER):
            task = asyncio.create_task(outlive())
        is_over.set()
        await task
    # An order that it creates still belongs to the request.
    assert found == [f"00-{OTHER_TRACE}-{collector.named('request').span_id}-01", None]
    after = collector.named("after")
    assert (after.trace_id, after.parent_id) == (CLIENT_TRACE, CLIENT_SPAN)


@pytest.mark.parametrize("stored", [None, "malformed"])
async def test_work_without_a_stored_trace_has_no_parent(collector: Collector, stored: str | None) -> None:
    async with tracing_to(collector.url):
        with continue_trace("step", stored) as span, continue_traces("batch", [stored, None]) as spans:
            assert (span is None, [one is None for one in spans]) == (stored is None, [stored is None, True])
    assert {span.name for span in collector.spans if span.parent_id == ""} == ({"step", "batch"} if stored else set())


async def test_trace_that_is_not_sampled_stays_so(collector: Collector) -> None:
    async with tracing_to(collector.url):
        with continue_trace("step", NOT_SAMPLED), continue_trace("inner", NOT_SAMPLED):
            assert traces.current_trace_id() == CLIENT_TRACE
            assert (current_traceparent() or "").endswith("-00")
    assert collector.spans == []


async def test_each_order_of_a_batch_has_a_span_in_its_own_trace(collector: Collector) -> None:
    async with tracing_to(collector.url):
        with continue_traces("effect mail", [TRACEPARENT, None, OTHER]) as spans:
            assert current_traceparent() is None
            assert spans[2] is not None
            spans[2].fail("refused")
    assert [(span.trace_id, span.is_failed) for span in collector.spans] == [
        (CLIENT_TRACE, False),
        (OTHER_TRACE, True),
    ]


@pytest.mark.parametrize("is_batch", [False, True])
async def test_failure_marks_the_span_with_the_type_of_the_error(collector: Collector, is_batch: bool) -> None:
    async with tracing_to(collector.url):
        block = continue_traces("x", [TRACEPARENT]) if is_batch else continue_trace("x", TRACEPARENT)
        with pytest.raises(ValueError, match="alice"), block:
            raise ValueError("alice")
    span = collector.named("x")
    assert (span.is_failed, span.attributes) == (True, {"error.type": "ValueError"})


def test_nothing_is_traced_while_off() -> None:
    with continue_trace("step", TRACEPARENT) as span, continue_traces("batch", [TRACEPARENT]) as spans:
        assert (span, spans, current_traceparent()) == (None, [None], None)
