"""Access lines say what a log record would say, and are written in order and in batches."""

import asyncio
import io
import logging
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from starlette.types import Message, Receive, Scope, Send

from tests.support.waiting import wait_until
from web import logs
from web.logs import Access, BatchingHandler, JsonFormatter, TextFormatter, log_access, request_id
from web.middleware import RequestMiddleware

JWT = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhbGljZSJ9.c2lnbmF0dXJl-_w"
NOW_S = 1_764_500_000.25
LINES = [
    Access("POST", "/graphql", 200, 1.5),
    Access("GET", "/a%22%0Ab/@x", 404, 0.0),
    Access("GET", f"/{JWT}/alice@example.org", None, 12345.6),
]


class Stream(io.StringIO):
    """Counts the writes that reach it."""

    def __init__(self) -> None:
        super().__init__()
        self.writes = 0
        self.is_broken = False

    def write(self, text: str) -> int:
        if self.is_broken:
            raise BrokenPipeError
        self.writes += 1
        return super().write(text)

    def messages(self) -> list[str]:
        return [re.sub(r"^.*\] ", "", line) for line in self.getvalue().splitlines()]


@contextmanager
def sole_handler() -> Iterator[tuple[BatchingHandler, Stream]]:
    """Yield our handler, as the only one of the process, and the stream to which it writes.

    It is not a fixture, because pytest adds its own handlers after all fixtures.
    """
    stream = Stream()
    formatter = TextFormatter()
    handler = BatchingHandler(stream, formatter)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    others, level = root.handlers[:], root.level
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)
    try:
        yield handler, stream
    finally:
        root.handlers[:] = others
        root.setLevel(level)


def _log(path: str = "/graphql", *, level: int = logging.INFO) -> None:
    log_access(Access("GET", path, 200, 1.0), level=level)


@pytest.mark.parametrize("formatter", [TextFormatter(), JsonFormatter()])
@pytest.mark.parametrize("line", LINES, ids=str)
@pytest.mark.parametrize("id_", ["-", "3f2a", JWT])
def test_access_line_equals_the_formatted_log_record(
    formatter: TextFormatter | JsonFormatter, line: Access, id_: str
) -> None:
    record = logging.LogRecord("web.access", logging.INFO, "file.py", 1, "%s", (line.message,), None)
    record.created, record.msecs, record.fields = NOW_S, 250.0, line.fields
    token = request_id.set(id_)
    try:
        assert formatter.format_access(line, now_s=NOW_S) == formatter.format(record)
    finally:
        request_id.reset(token)


async def test_access_lines_of_a_moment_are_written_together() -> None:
    with sole_handler() as (_, stream):
        for number in range(10):
            _log(f"/{number}")
        assert stream.writes == 0
        await wait_until(lambda: len(stream.messages()) == 10)
    assert stream.writes == 1
    assert stream.messages() == [f"GET /{number} 200 1.0 ms" for number in range(10)]


async def test_full_batch_is_written_immediately(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "MAX_BATCH_LINES", 3)
    with sole_handler() as (_, stream):
        for number in range(4):
            _log(f"/{number}")
        assert len(stream.messages()) == 3
        await wait_until(lambda: len(stream.messages()) == 4)


async def test_other_log_lines_follow_the_access_lines_before_them() -> None:
    with sole_handler() as (_, stream):
        _log("/first")
        logging.getLogger("web.errors").error("it failed")
        assert stream.messages() == ["GET /first 200 1.0 ms", "it failed"]


def test_pending_access_lines_are_written_when_the_process_exits() -> None:
    program = """
import asyncio, sys
from web.logs import Access, configure, log_access

async def main():
    log_access(Access("GET", "/last", 200, 1.0), level=20)
    sys.exit("and then it crashed")

configure("text")
asyncio.run(main())
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert "web.access [-] GET /last 200 1.0 ms\n" in done.stderr
    assert "and then it crashed" in done.stderr


async def test_pending_access_lines_are_written_before_the_server_stops() -> None:
    """uvicorn then sends itself the signal that stopped it, and nothing runs at exit."""
    written = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        _log("/last")
        await send({"type": "lifespan.shutdown.complete"})

    async def receive() -> Message:
        return {"type": "lifespan.shutdown"}

    async def send(message: Message) -> None:
        written.append((message["type"], stream.messages()))

    with sole_handler() as (_, stream):
        await RequestMiddleware(app)({"type": "lifespan"}, receive, send)
    assert written == [("lifespan.shutdown.complete", ["GET /last 200 1.0 ms"])]


def test_access_line_outside_an_event_loop_is_written_immediately() -> None:
    with sole_handler() as (_, stream):
        _log("/alone")
        assert stream.messages() == ["GET /alone 200 1.0 ms"]


def test_line_left_by_a_closed_event_loop_is_written_with_the_next() -> None:
    async def log(path: str, count: int) -> None:
        _log(path)
        await wait_until(lambda: len(stream.messages()) == count)

    with sole_handler() as (_, stream):
        asyncio.run(log("/left", 0))
        asyncio.run(log("/next", 2))
    assert stream.messages() == ["GET /left 200 1.0 ms", "GET /next 200 1.0 ms"]


async def test_failed_write_is_reported_and_later_lines_are_written(capsys: pytest.CaptureFixture[str]) -> None:
    with sole_handler() as (handler, stream):
        stream.is_broken = True
        _log("/lost")
        handler.flush()
        assert "BrokenPipeError" in capsys.readouterr().err
        stream.is_broken = False
        _log("/kept")
        await wait_until(lambda: stream.messages() == ["GET /kept 200 1.0 ms"])


async def test_another_handler_receives_access_lines_as_log_records(caplog: pytest.LogCaptureFixture) -> None:
    with sole_handler():
        logging.getLogger().addHandler(caplog.handler)
        _log("/seen")
    (record,) = caplog.records
    assert (record.name, record.getMessage()) == ("web.access", "GET /seen 200 1.0 ms")


@pytest.mark.parametrize("propagates", [True, False])
async def test_logger_above_the_access_lines_handles_them_first(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, *, propagates: bool
) -> None:
    above = logging.Logger("web")  # noqa: LOG001 - a registered logger would stay for other tests
    above.parent, above.propagate = logging.getLogger(), propagates
    above.addHandler(caplog.handler)
    monkeypatch.setattr(logs.access, "parent", above)
    with sole_handler() as (handler, stream):
        _log("/seen")
        handler.flush()
        assert stream.messages() == ["GET /seen 200 1.0 ms"] * propagates
    assert [record.getMessage() for record in caplog.records] == ["GET /seen 200 1.0 ms"]


async def test_level_of_our_handler_counts() -> None:
    with sole_handler() as (handler, stream):
        handler.setLevel(logging.WARNING)
        _log("/unseen")
        handler.flush()
        assert stream.messages() == []


async def test_another_formatter_of_our_handler_formats_access_lines() -> None:
    with sole_handler() as (handler, stream):
        handler.setFormatter(logging.Formatter("%(name)s: %(message)s"))
        _log("/seen")
        handler.flush()
        assert stream.messages() == ["web.access: GET /seen 200 1.0 ms"]


async def test_probes_are_written_only_at_level_debug() -> None:
    with sole_handler() as (_, stream):
        _log("/livez", level=logging.DEBUG)
        logging.getLogger().setLevel(logging.DEBUG)
        _log("/readyz", level=logging.DEBUG)
        assert stream.messages() == ["GET /readyz 200 1.0 ms"]
