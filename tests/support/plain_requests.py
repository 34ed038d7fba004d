"""Builds the bytes of HTTP requests, right and wrong ones."""

from collections.abc import Sequence
from typing import TypeAlias

import orjson

Header: TypeAlias = tuple[str, str]

QUERY = b'{"query": "{ me { name } }"}'
LINE = b"POST /graphql HTTP/1.1\r\n"


def usual_headers(token: str | None) -> list[Header]:
    """Return the headers of a plain request; without a token, it is anonymous."""
    headers = [("Host", "onsale.example"), ("Accept", "application/json"), ("Content-Type", "application/json")]
    return headers + ([("Authorization", f"Bearer {token}")] if token else [])


def make_request(
    headers: Sequence[Header], body: bytes = QUERY, *, line: bytes = LINE, length: str | None = "right"
) -> bytes:
    """Return the request. `length` is the Content-Length; if it is None, there is none."""
    sent = list(headers)
    if length is not None:
        sent.append(("Content-Length", str(len(body)) if length == "right" else length))
    head = b"".join(f"{name}: {value}\r\n".encode("latin-1") for name, value in sent)
    return line + head + b"\r\n" + body


def make_body(document: str, **variables: object) -> bytes:
    return orjson.dumps({"query": document, "variables": variables})


def chunked(body: bytes) -> bytes:
    return b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
