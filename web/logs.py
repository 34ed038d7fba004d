"""Log lines for people (`text`) or machines (`json`), each with the id of its request. Those for
machines also have the id of their trace, if there is one.

Anything in the finished line that resembles a token or an email address is redacted, regardless of
its source.

Each request has an access line. These lines are formatted without a log record and written in
batches, unless another handler, a filter or another formatter needs the record. All other lines are
written immediately, after the access lines before them.
"""

import asyncio
import json
import logging
import re
import sys
import threading
import time
from collections.abc import Mapping
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import NamedTuple, TextIO, TypeAlias, cast

from telemetry import traces

request_id: ContextVar[str] = ContextVar("request_id", default="-")
access = logging.getLogger("web.access")

MAX_BATCH_LINES = 256
"""The maximum number of access lines in a batch; a full batch is written immediately."""
MAX_BATCH_DELAY_S = 0.02
"""The maximum age of an access line when it is written. If the process is killed, it loses the
lines of this time.
"""

_SECRETS = re.compile(
    r"(?P<token>\beyJ[\w-]+(?:\.[\w-]+)+)"  # a JWT: every JSON header starts with these letters
    r"|(?<=Bearer )(?P<bearer>[\w~+/.=-]+)"
    r"|(?P<email>[^\s\"'<>@=:,(]+@[\w-]+(?:\.[\w-]+)+)"
)

_UVICORN = ("uvicorn", "uvicorn.error", "uvicorn.access")


def redact(text: str) -> str:
    # Every match contains one of these, and looking for them is much cheaper.
    if "@" not in text and "eyJ" not in text and "Bearer " not in text:
        return text
    return _SECRETS.sub(lambda match: f"[{'email' if match['email'] else 'token'}]", text)


class Access(NamedTuple):
    """One request that was answered, or left without an answer (`status` is then None)."""

    method: str
    path: str
    status: int | None
    elapsed_ms: float

    @property
    def message(self) -> str:
        return f"{self.method} {self.path} {self.status or 'no answer'} {self.elapsed_ms} ms"

    @property
    def fields(self) -> dict[str, object]:
        return {"method": self.method, "path": self.path, "status": self.status, "ms": self.elapsed_ms}


class TextFormatter(logging.Formatter):
    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(name)s [%(request_id)s] %(message)s", datefmt="%H:%M:%S")
        self._second, self._clock = 0, ""

    def format(self, record: logging.LogRecord) -> str:
        record.request_id = request_id.get()
        return redact(super().format(record))

    def format_access(self, line: Access, *, now_s: float) -> str:
        if int(now_s) != self._second:
            self._second, self._clock = int(now_s), time.strftime("%H:%M:%S", time.localtime(now_s))
        return redact(f"{self._clock} INFO    {access.name} [{request_id.get()}] {line.message}")


class JsonFormatter(logging.Formatter):
    """Formats one JSON object per line.

    A log call adds members with `extra={"fields": {…}}`.
    """

    def format(self, record: logging.LogRecord) -> str:
        line = _members(record.created, record.levelname, record.name, record.getMessage())
        line |= cast("Mapping[str, object]", getattr(record, "fields", {}))
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return redact(json.dumps(line, default=str))

    def format_access(self, line: Access, *, now_s: float) -> str:
        return redact(json.dumps(_members(now_s, "INFO", access.name, line.message) | line.fields))


AccessFormatter: TypeAlias = TextFormatter | JsonFormatter
"""`format_access` returns what `format` returns for a log record with level INFO."""


def _members(created_s: float, level: str, logger: str, message: str) -> dict[str, object]:
    members: dict[str, object] = {
        "time": datetime.fromtimestamp(created_s, UTC).isoformat(timespec="milliseconds"),
        "level": level,
        "logger": logger,
        "request_id": request_id.get(),
        "message": message,
    }
    trace_id = traces.current_trace_id()
    if trace_id is not None:
        members["trace_id"] = trace_id
    return members


class BatchingHandler(logging.StreamHandler[TextIO]):
    """Writes log records immediately and access lines in batches, in order.

    The pending lines are also written at exit, because `logging` then flushes its handlers. A
    server that repeats the signal that stopped it, as uvicorn does, ends without that, so the
    middleware calls `write_pending` before.
    """

    def __init__(self, stream: TextIO, formatter: AccessFormatter) -> None:
        super().__init__(stream)
        self._access_formatter = formatter
        # Other threads log too, for example those that compress answers.
        self._lock = threading.RLock()
        self._lines: list[str] = []
        self._awaited: asyncio.AbstractEventLoop | None = None
        """The event loop that will write the pending lines."""

    def write_access(self, line: Access) -> None:
        written = self._access_formatter.format_access(line, now_s=time.time())
        with self._lock:
            self._lines.append(written)
            is_full = len(self._lines) >= MAX_BATCH_LINES
        loop = _running_loop()
        if is_full or loop is None:
            self.flush()
        elif self._awaited is not loop:
            self._awaited = loop
            loop.call_later(MAX_BATCH_DELAY_S, self._flush_later)

    @property
    def is_as_configured(self) -> bool:
        """Whether a log record at level INFO would be written, with our formatter."""
        return self.formatter is self._access_formatter and self.level <= logging.INFO and not self.filters

    def emit(self, record: logging.LogRecord) -> None:
        self._write_lines()
        super().emit(record)

    def flush(self) -> None:
        self._write_lines()
        super().flush()

    def _flush_later(self) -> None:
        self._awaited = None
        self.flush()

    def _write_lines(self) -> None:
        with self._lock:
            lines, self._lines = self._lines, []
            if not lines:
                return
            try:
                self.stream.write("\n".join((*lines, "")))
            except Exception:
                self.handleError(logging.LogRecord(access.name, logging.INFO, "", 0, lines[0], None, None))


def configure(log_format: str) -> None:
    """Send all log lines to standard error, including uvicorn's.

    `log_format` is the setting of the same name.
    """
    formatter = JsonFormatter() if log_format == "json" else TextFormatter()
    handler = BatchingHandler(sys.stderr, formatter)
    handler.setFormatter(formatter)
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    for name in _UVICORN:
        logging.getLogger(name).handlers.clear()
        logging.getLogger(name).propagate = True
    # uvicorn's start and stop lines repeat our banner. Its lines for requests and sockets contain
    # the query string, which may hold secrets. Its command line sets a level on each logger, so
    # each one is set again here.
    for name in _UVICORN:
        logging.getLogger(name).setLevel(logging.WARNING)
    # httpx2 logs every HTTP call to the issuer, which is of no use to a reader.
    logging.getLogger("httpx2").setLevel(logging.WARNING)


def flush() -> None:
    """Write all pending lines. A server calls this when it stops, because it may then end itself by
    a signal, which skips what Python does at exit.
    """
    for handler in access.root.handlers:
        handler.flush()


def log_access(line: Access, *, level: int) -> None:
    if not access.isEnabledFor(level):
        return
    handler = _sole_handler() if level == logging.INFO else None
    if handler is not None:
        handler.write_access(line)
    else:
        access.log(level, "%s", line.message, extra={"fields": line.fields})


def write_pending() -> None:
    """Write the access lines that wait for their batch."""
    for handler in access.root.handlers:
        if isinstance(handler, BatchingHandler):
            handler.flush()


def _sole_handler() -> BatchingHandler | None:
    """Return our handler if it alone handles access lines, as it was configured."""
    root = access.root
    # A logger between them may have handlers of its own.
    is_direct = access.parent is root and access.propagate and not access.handlers and not access.filters
    if not is_direct or len(root.handlers) != 1:
        return None
    handler = root.handlers[0]
    return handler if isinstance(handler, BatchingHandler) and handler.is_as_configured else None


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
