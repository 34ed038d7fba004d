"""Log lines for people (`text`) or machines (`json`), each with the id of its request.

Anything in the finished line that resembles a token or an email address is redacted, regardless of
its source.
"""

import json
import logging
import re
import sys
from collections.abc import Mapping
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import cast

request_id: ContextVar[str] = ContextVar("request_id", default="-")

_SECRETS = re.compile(
    r"(?P<token>\beyJ[\w-]+(?:\.[\w-]+)+)"  # a JWT: every JSON header starts with these letters
    r"|(?<=Bearer )(?P<bearer>[\w~+/.=-]+)"
    r"|(?P<email>[^\s\"'<>@=:,(]+@[\w-]+(?:\.[\w-]+)+)"
)

_UVICORN = ("uvicorn", "uvicorn.error", "uvicorn.access")


def redact(text: str) -> str:
    return _SECRETS.sub(lambda match: f"[{'email' if match['email'] else 'token'}]", text)


class TextFormatter(logging.Formatter):
    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(name)s [%(request_id)s] %(message)s", datefmt="%H:%M:%S")

    def format(self, record: logging.LogRecord) -> str:
        record.request_id = request_id.get()
        return redact(super().format(record))


class JsonFormatter(logging.Formatter):
    """Formats one JSON object per line.

    A log call adds members with `extra={"fields": {…}}`.
    """

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "request_id": request_id.get(),
            "message": record.getMessage(),
            **cast("Mapping[str, object]", getattr(record, "fields", {})),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return redact(json.dumps(line, default=str))


def configure(log_format: str) -> None:
    """Send all log lines to standard error, including uvicorn's.

    `log_format` is the setting of the same name.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if log_format == "json" else TextFormatter())
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
