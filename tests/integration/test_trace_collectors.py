"""A collector that is unreachable, slow or refuses spans stops nothing, and is one log line."""

import asyncio
import logging
from functools import partial
from typing import cast

import pytest
from aiohttp import web

from storage.embedded.ports import free_port
from telemetry import open_telemetry, traces
from tests.support.traces import Collector, running_collector, tracing_to
from tests.support.waiting import wait_until

AT_ONCE = {"OTEL_EXPORTER_OTLP_TIMEOUT": "1"}
"""A refused batch is not sent again."""


def end_spans(count: int) -> None:
    assert traces.active is not None
    for number in range(count):
        traces.active.begin(f"span {number}").end()


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [line for name, _, line in caplog.record_tuples if name.startswith(("telemetry", "opentelemetry"))]


async def test_outage_of_the_collector_is_one_line_and_a_summary(caplog: pytest.LogCaptureFixture) -> None:
    async with running_collector() as collector:
        collector.status = 503
        async with tracing_to(collector.url, **AT_ONCE):
            for refused in range(1, 4):
                end_spans(1)
                await wait_until(partial(_has_refused, collector, refused), what="a refused batch")
            collector.status = 200
            end_spans(1)
            await wait_until(lambda: collector.spans, what="the spans after the outage")
            await wait_until(lambda: len(lines(caplog)) == 2, what="the summary")
    host = collector.url.split("/")[2]
    first, summary = lines(caplog)
    assert first.startswith(f"sending spans to {host} failed, trying again: 1 spans are lost: ")
    assert summary.startswith(f"sending spans to {host} works again after ")


async def test_unreachable_collector_is_one_line_at_the_end_too(caplog: pytest.LogCaptureFixture) -> None:
    async with tracing_to(f"http://127.0.0.1:{free_port()}/v1/traces", **AT_ONCE):
        end_spans(3)
        await wait_until(lambda: lines(caplog), what="the line")
        end_spans(3)
    (line,) = lines(caplog)
    assert "are lost" in line


async def test_slow_collector_loses_the_oldest_spans_of_a_full_queue(caplog: pytest.LogCaptureFixture) -> None:
    is_open, sizes = asyncio.Event(), {"OTEL_BSP_MAX_QUEUE_SIZE": "8", "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "8"}
    async with running_collector() as collector:
        receive = collector.receive
        first = asyncio.Event()

        async def receive_slowly(request: web.Request) -> web.Response:
            first.set()
            await is_open.wait()
            return await receive(request)

        collector.receive_with = receive_slowly
        async with tracing_to(collector.url, **sizes):
            end_spans(1)
            await first.wait()
            end_spans(40)
            is_open.set()
        names = [span.name for span in collector.spans]
    assert names == ["span 0", *(f"span {number}" for number in range(32, 40))]
    assert lines(caplog)[0].startswith("sending spans to ")


async def test_hanging_collector_does_not_keep_the_process(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(open_telemetry, "CLOSE_WITHIN_S", 0.1)
    is_over = asyncio.Event()

    async def hang(_: web.Request) -> web.Response:
        await is_over.wait()
        return web.Response()

    async with running_collector() as collector:
        collector.receive_with = hang
        async with tracing_to(collector.url):
            end_spans(1)
        assert traces.active is None
        assert lines(caplog) == ["the collector of spans does not answer, so the last ones are lost"]
        is_over.set()


async def test_loggers_of_the_library_are_as_before() -> None:
    names = ("opentelemetry.exporter.otlp.proto.http.trace_exporter", "opentelemetry.sdk._shared_internal")
    before = [list(logging.getLogger(name).filters) for name in names]
    async with running_collector() as collector, tracing_to(collector.url):
        end_spans(1)
    assert [list(logging.getLogger(name).filters) for name in names] == before


async def test_tracing_within_tracing_changes_nothing() -> None:
    async with running_collector() as collector, tracing_to(collector.url):
        outer = traces.active
        async with tracing_to("http://127.0.0.1:1/v1/traces"):
            assert traces.active is outer
        assert cast(object, traces.active) is outer


def _has_refused(collector: Collector, batches: int) -> bool:
    return collector.requests >= batches
