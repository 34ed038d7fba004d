"""Clients of the metrics port that are silent or do not read stop no other client."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import replace
from typing import Any

import pytest

from settings import Settings
from telemetry import metrics
from telemetry.integers import Level
from tests.support.exposed_metrics import read_samples
from tests.support.waiting import wait_until
from web.monitoring import metrics as metrics_port
from web.monitoring import scrape_protocol
from web.monitoring.metrics import open_metrics_listener, serve_metrics
from web.monitoring.queue_gauges import QueueGauges

REQUEST = b"GET /metrics HTTP/1.1\r\nHost: onsale\r\nConnection: close\r\n\r\n"


@pytest.fixture
def settings() -> Settings:
    return replace(Settings.from_env({}), metrics_port=0, metrics_from=("127.0.0.0/8",))


@asynccontextmanager
async def served(settings: Settings) -> AsyncIterator[int]:
    """Serve the metrics without stores, and yield the port."""
    no_stores: Any = None
    with open_metrics_listener(settings) as listener:
        assert listener is not None
        async with serve_metrics(listener, settings, no_stores):
            yield listener.getsockname()[1]


async def connect(port: int, address: str = "127.0.0.1") -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection("127.0.0.1", port, local_addr=(address, 0))


async def scrape(port: int, address: str = "127.0.0.1") -> bytes:
    """Return the status line and the rest of an answer, or nothing if the connection was ended."""
    reader, writer = await connect(port, address)
    with closing(writer):
        writer.write(REQUEST)
        try:
            return await reader.read()
        except ConnectionError:
            return b""


async def test_silent_clients_are_dropped_and_stop_no_other(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Failing value before: 20 silent connections, for as long as they liked, meant 503 for all."""
    monkeypatch.setattr(scrape_protocol, "EXCHANGE_WITHIN_S", 0.5)
    async with served(settings) as port:
        addresses = [f"127.0.0.{number}" for number in range(2, 7) for _ in range(scrape_protocol.MAX_PER_ADDRESS)]
        silent = [await connect(port, address) for address in addresses]
        silent[0][1].write(REQUEST[:20])
        ended = await asyncio.gather(*(reader.read() for reader, _ in silent), return_exceptions=True)
        assert all(not answer or isinstance(answer, ConnectionError) for answer in ended)

        async def is_served() -> bool:
            return (await scrape(port)).startswith(b"HTTP/1.1 200")

        await wait_until(is_served, what="an answer")
        for _, writer in silent:
            writer.close()


async def test_one_address_cannot_take_all_connections(settings: Settings) -> None:
    async with served(settings) as port:
        silent = [await connect(port, "127.0.0.2") for _ in range(metrics_port.MAX_CONNECTIONS)]

        async def others_are_ended() -> bool:
            open_count = scrape_protocol.ScrapeProtocol.count_open("127.0.0.2")
            return open_count == scrape_protocol.MAX_PER_ADDRESS

        await wait_until(others_are_ended, what="the end of the other connections")
        assert (await scrape(port, "127.0.0.3")).startswith(b"HTTP/1.1 200")
        for _, writer in silent:
            writer.close()


async def test_metric_that_cannot_be_shown_is_left_out(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Failing value before: HTTP 500, without any metric."""

    def fail() -> float:
        raise ValueError("no number")

    monkeypatch.setattr(metrics, "LEVELS", (Level("onsale_bad", "Bad.", fail), *metrics.LEVELS))
    async with served(settings) as port:
        answers = [await scrape(port) for _ in range(2)]
    for answer in answers:
        head, _, body = answer.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200")
        samples = read_samples(body)
        assert "onsale_sockets" in samples
        assert "onsale_bad" not in samples
    assert samples["onsale_metrics_left_out_totalonsale_bad"] >= 1
    lines = [record.getMessage() for record in caplog.records if record.name == "telemetry.collector"]
    assert lines == ["the metric onsale_bad cannot be shown and is left out"]


async def test_gauges_that_fail_are_missing_and_counted(caplog: pytest.LogCaptureFixture) -> None:
    """Failing value before: any other error than an unavailable store ended the scrape."""

    class FailingGauges(QueueGauges):
        async def fill(self, *_: object) -> None:
            raise KeyError("a bug")

    stores: Any = None
    shown = read_samples(await FailingGauges().show(stores))
    assert shown == {"onsale_queue_gauges_read": 0}
    assert "reading the queue gauges failed" in caplog.text
