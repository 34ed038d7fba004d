"""Log lines in both formats contain a request id and fields, but no token or email address."""

import json
import logging
import sys

import pytest

from web.logs import JsonFormatter, TextFormatter, redact, request_id

JWT = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhbGljZSJ9.c2lnbmF0dXJl-_w"


def _record(message: str, *args: object, **fields: object) -> logging.LogRecord:
    record = logging.LogRecord("web.access", logging.INFO, "file.py", 1, message, args, None)
    if fields:
        record.fields = fields
    return record


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"Authorization: Bearer {JWT}", "Authorization: Bearer [token]"),
        (f"token={JWT}&x=1", "token=[token]&x=1"),
        ("Bearer abc.DEF-123~+/=", "Bearer [token]"),
        ('{"customerEmail": "alice@example.org"}', '{"customerEmail": "[email]"}'),
        ("mail alice.b+tickets@mail.example.org now", "mail [email] now"),
        ("3 @ 4, a@b and POST /graphql 200", "3 @ 4, a@b and POST /graphql 200"),
    ],
)
def test_secrets_are_redacted(text: str, expected: str) -> None:
    assert redact(text) == expected


def test_text_line_has_time_level_logger_request_and_message() -> None:
    token = request_id.set("abc")
    try:
        line = TextFormatter().format(_record("%s left for alice@example.org", 3))
    finally:
        request_id.reset(token)
    assert line[8:] == " INFO    web.access [abc] 3 left for [email]"


def test_json_line_has_the_fields_as_members() -> None:
    line = json.loads(JsonFormatter().format(_record("%s %s", "GET", "/", method="GET", status=200)))
    assert line.pop("time").endswith("+00:00")
    assert line == {
        "level": "INFO",
        "logger": "web.access",
        "request_id": "-",
        "message": "GET /",
        "method": "GET",
        "status": 200,
    }


@pytest.mark.parametrize("formatter", [TextFormatter(), JsonFormatter()])
def test_stack_trace_is_logged_and_redacted(formatter: logging.Formatter) -> None:
    record = _record("failed")
    try:
        raise ValueError(f"bad token {JWT}")
    except ValueError:
        record.exc_info = sys.exc_info()
    line = formatter.format(record)
    assert "ValueError: bad token [token]" in line
    assert "test_stack_trace_is_logged_and_redacted" in line
