"""The middleware: request ids, security headers, access logs, and responses after a crash."""

import logging
import re
import subprocess
import sys
from collections.abc import AsyncIterator

import httpx2
import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.routing import Route

from web import health
from web.logs import request_id
from web.middleware import RequestMiddleware


async def _echo(request: Request) -> PlainTextResponse:
    assert request.state.request_id == request_id.get()
    return PlainTextResponse(request_id.get(), headers={"content-security-policy": "default-src 'self'"})


async def _crash(_: Request) -> PlainTextResponse:
    raise RuntimeError("an internal secret")


async def _crash_late(_: Request) -> StreamingResponse:
    async def body() -> AsyncIterator[bytes]:
        yield b"half"
        raise RuntimeError("too late")

    return StreamingResponse(body())


@pytest.fixture
def client() -> httpx2.AsyncClient:
    routes = [Route("/echo/{name:path}", _echo), Route("/crash", _crash), Route("/late", _crash_late), *health.routes]
    app = Starlette(routes=routes, middleware=[Middleware(RequestMiddleware)])
    return httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://onsale")


def _access_lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name == "web.access"]


async def test_response_has_a_request_id_and_security_headers(client: httpx2.AsyncClient) -> None:
    answer = await client.get("/livez")
    assert re.fullmatch(r"[0-9a-f]{16}", answer.headers["x-request-id"])
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["x-frame-options"] == "DENY"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")


async def test_browsers_are_told_to_stay_on_https(client: httpx2.AsyncClient) -> None:
    name = "strict-transport-security"
    assert (await client.get("https://onsale/livez")).headers[name] == "max-age=31536000"
    assert name not in (await client.get("/livez")).headers


async def test_page_keeps_its_own_content_security_policy(client: httpx2.AsyncClient) -> None:
    answer = await client.get("/echo/x")
    assert answer.headers.get_list("content-security-policy") == ["default-src 'self'"]


async def test_valid_request_id_from_the_client_is_kept(client: httpx2.AsyncClient) -> None:
    answer = await client.get("/echo/x", headers={"x-request-id": "trace-1.A_b"})
    assert (answer.text, answer.headers["x-request-id"]) == ("trace-1.A_b", "trace-1.A_b")
    assert request_id.get() == "-"


@pytest.mark.parametrize("given", ["", "a" * 65, "two words", "line\tbreak", "<script>", "ä"])
async def test_invalid_request_id_from_the_client_is_replaced(client: httpx2.AsyncClient, given: str) -> None:
    answer = await client.get("/echo/x", headers=[(b"x-request-id", given.encode())])
    assert re.fullmatch(r"[0-9a-f]{16}", answer.headers["x-request-id"])


async def test_access_line_has_no_query_and_no_line_break(
    client: httpx2.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    await client.get("/echo/a%0AFORGED?code=secret")
    (line,) = _access_lines(caplog)
    assert re.fullmatch(r"GET /echo/a%0AFORGED 404 \d+\.\d ms", line)


async def test_probes_are_not_logged_at_level_info(
    client: httpx2.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    await client.get("/livez")
    assert _access_lines(caplog) == []


async def test_crash_is_logged_and_its_response_hides_the_reason(
    client: httpx2.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    answer = await client.get("/crash", headers={"x-request-id": "trace-2"})
    assert answer.status_code == 500
    assert answer.json()["requestId"] == "trace-2"
    assert "secret" not in answer.text
    assert "an internal secret" in caplog.text
    assert _access_lines(caplog)[0].startswith("GET /crash 500 ")


async def test_crash_after_the_first_bytes_closes_the_connection(client: httpx2.AsyncClient) -> None:
    with pytest.raises(RuntimeError, match="too late"):
        await client.get("/late")


def test_forked_processes_make_different_request_ids() -> None:
    program = """
import os
from web.middleware import make_request_id

if os.fork():
    os.wait()
print(make_request_id(b""), flush=True)
"""
    ids = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True, text=True).stdout.split()
    assert (len(ids), len(set(ids))) == (2, 2)
