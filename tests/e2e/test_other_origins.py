"""Pages from other origins may send HTTP requests; their sockets are refused with a reason."""

import logging

import httpx2
import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.types import ASGIApp, Receive, Scope, Send
from websockets.exceptions import InvalidStatus

from auth.passes import jwks_routes
from tests.support.sale import PASSES
from tests.support.serving import serving
from tests.support.shop import Shop
from tests.support.sockets import sockets
from web.logs import TextFormatter
from web.middleware import RequestMiddleware

CLIENT_HEADERS = (
    "traceparent",
    "baggage",
    "sentry-trace",
    "apollo-require-preflight",
    "apollographql-client-name",
    "x-made-up-today",
)


async def test_socket_refusal_names_the_origin_and_the_setting(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    async with sockets() as server:
        with pytest.raises(InvalidStatus) as caught:
            async with server.client(origin=None, additional_headers={"Origin": "https://other.example"}):
                pass
    answer = caught.value.response
    assert answer.status_code == 403
    refusal = (answer.body or b"").decode()
    assert "'https://other.example'" in refusal
    assert "ONSALE_ALLOWED_ORIGINS" in refusal
    (line,) = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert refusal in line


@pytest.mark.parametrize("given", ["probe-7", None])
async def test_refused_socket_is_logged_in_one_line_with_its_request_id(
    caplog: pytest.LogCaptureFixture, given: str | None
) -> None:
    caplog.handler.setFormatter(TextFormatter())
    async with sockets(middleware=[Middleware(RequestMiddleware)]) as server:
        headers = {"Origin": "https://other.example"} | ({"X-Request-Id": given} if given else {})
        with pytest.raises(InvalidStatus) as caught:
            async with server.client(origin=None, additional_headers=headers):
                pass
    id_ = caught.value.response.headers["x-request-id"]
    assert given in (None, id_)
    (line,) = caplog.text.splitlines()
    assert f"[{id_}] a socket was refused" in line


@pytest.mark.parametrize("header", CLIENT_HEADERS)
@pytest.mark.asyncio(loop_scope="module")
async def test_any_request_header_is_allowed(shop: Shop, header: str) -> None:
    requested = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": f"authorization, {header}"}
    preflight = await shop.client.options("/graphql", headers={"Origin": "https://shop.example", **requested})
    assert preflight.status_code == 200
    assert header in preflight.headers["access-control-allow-headers"]
    # Every header may be allowed because credentials are not.
    assert "access-control-allow-credentials" not in preflight.headers


async def test_every_page_may_read_the_pass_keys() -> None:
    async with serving(lambda _: _with_passes()) as base, httpx2.AsyncClient(base_url=base) as client:
        for origin in ({}, {"Origin": "https://gate.example"}):
            answer = await client.get("/.well-known/jwks.json", headers=origin)
            assert (answer.status_code, answer.json()) == (200, PASSES.jwks)
            assert answer.headers.get_list("access-control-allow-origin") == ["*"]
        asked = {"Origin": "https://gate.example", "Access-Control-Request-Method": "GET"}
        traced = asked | {"Access-Control-Request-Headers": "traceparent"}
        preflight = await client.options("/.well-known/jwks.json", headers=traced)
        assert (preflight.status_code, preflight.headers["access-control-allow-headers"]) == (200, "traceparent")


def _with_passes() -> ASGIApp:
    app = Starlette(routes=jwks_routes)

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        await app({**scope, "state": {"passes": PASSES}}, receive, send)

    return serve
