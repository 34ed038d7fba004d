"""Event streams from the first event to the end, with a fake operation runner."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import httpx2
import pytest
from starlette.applications import Starlette
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from subscriptions.interfaces import OperationRequest, Recheck
from subscriptions.sockets.limits import Limits
from subscriptions.sse import EventStream
from tests.support.events import COMMENT, Events, events
from tests.support.login_sessions import ALICE, Login
from tests.support.loop_clock import LoopClock
from tests.support.serving import serving
from tests.support.slow_readers import small_buffer_socket
from tests.support.sockets import DEFAULTS, FakeRunner
from tests.support.waiting import wait_until


@dataclass(eq=False)
class Streams:
    """An ASGI application that uses the query string as the document."""

    limits: Limits
    runner: FakeRunner = field(default_factory=FakeRunner)
    expires_at: float | None = None
    recheck: Recheck | None = None
    opened: list[EventStream] = field(default_factory=list)
    base: str = ""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.opened.append(EventStream(self.limits, expires_at=self.expires_at, recheck=self.recheck))
        asked = OperationRequest(scope["query_string"].decode(), {}, None, {})
        outcome = await self.runner.start(asked, self.opened[-1].deliver, caller=None, address=None)
        await self.opened[-1].serve(outcome, receive, send)

    @asynccontextmanager
    async def get(self, document: str) -> AsyncIterator[Events]:
        async with (
            httpx2.AsyncClient(base_url=self.base, timeout=60) as client,
            events(client, "GET", f"/?{document}") as stream,
        ):
            yield stream


@asynccontextmanager
async def streams(
    limits: Limits = DEFAULTS, *, expires_at: float | None = None, recheck: Recheck | None = None
) -> AsyncIterator[Streams]:
    made = Streams(limits, expires_at=expires_at, recheck=recheck)
    async with serving(lambda _: Starlette(routes=[Route("/", made)])) as made.base:
        yield made


COMPLETE = ("complete", None)


def shown(value: object) -> tuple[str, object]:
    return "next", {"data": {"value": value}}


async def test_subscription_sends_each_value_until_it_ends() -> None:
    async with streams() as server, server.get("subscription") as stream:
        [fake] = await server.runner.wait_for_subscriptions(1)
        for value in (1, "two\nlines", {"ü": "🎫"}):
            fake.show(value)
            assert await stream.receive() == shown(value)
        fake.show("last", is_last=True)
        assert await stream.rest() == [shown("last"), COMPLETE]
        assert server.runner.open == []


async def test_headers_forbid_caching_and_buffering() -> None:
    async with streams() as server, server.get("query") as stream:
        headers = stream.response.headers
    assert headers["content-type"] == "text/event-stream; charset=utf-8"
    assert (headers["cache-control"], headers["x-accel-buffering"]) == ("private, no-store", "no")


@pytest.mark.parametrize(
    ("document", "result"),
    [("query", {"data": {"query": {}}}), ("mutation", {"data": {"mutation": {}}})],
)
async def test_query_or_mutation_sends_one_next_and_then_complete(document: str, result: object) -> None:
    async with streams() as server, server.get(document) as stream:
        assert await stream.rest() == [("next", result), COMPLETE]


async def test_rejected_operation_sends_a_next_with_errors_and_then_complete() -> None:
    async with streams() as server, server.get("nonsense") as stream:
        assert stream.response.status_code == 200
        assert await stream.rest() == [("next", {"errors": [{"message": "Syntax Error"}]}), COMPLETE]


async def test_complete_has_the_data_line_that_browsers_require() -> None:
    async with streams() as server, httpx2.AsyncClient(base_url=server.base) as client:
        answer = await client.get("/?query")
    assert answer.text == 'event: next\ndata: {"data":{"query":{}}}\n\nevent: complete\ndata: \n\n'


async def test_silent_stream_sends_comments() -> None:
    async with streams(Limits(heartbeat_s=0.05)) as server, server.get("subscription") as stream:
        assert [await stream.receive() for _ in range(3)] == [COMMENT] * 3
        server.runner.open[0].show(1)
        while (event := await stream.receive()) == COMMENT:
            pass
        assert event == shown(1)


async def test_subscription_ends_when_the_client_leaves() -> None:
    async with streams() as server:
        async with server.get("subscription"):
            await server.runner.wait_for_subscriptions(1)
        await server.runner.wait_for_subscriptions(0)


async def test_session_stream_ends_when_a_recheck_finds_the_session_lost() -> None:
    clock, login, limits = LoopClock(), Login(), Limits(heartbeat_s=72_000)
    cookie = await login.sign_in()
    async with (
        streams(limits, recheck=login.sessions.recheck(cookie, ALICE)) as server,
        server.get("subscription") as stream,
    ):
        await login.sessions.end(cookie)
        server.runner.open[0].show(1)
        assert await stream.receive() == shown(1)
        clock.advance(601)
        server.runner.open[0].show(2)
        (name, value), (_, result), end = await stream.rest()
    assert (name, value, end) == (*shown(2), COMPLETE)
    assert [error["extensions"]["code"] for error in result["errors"]] == ["SESSION_LOST"]


async def test_session_stream_outlives_its_token() -> None:
    clock, login, limits = LoopClock(), Login(), Limits(heartbeat_s=72_000)
    cookie = await login.sign_in()
    async with (
        streams(limits, recheck=login.sessions.recheck(cookie, ALICE)) as server,
        server.get("subscription") as stream,
    ):
        clock.advance(601)
        login.clock.advance(601)
        server.runner.open[0].show(1)
        assert await stream.receive() == shown(1)
        await wait_until(lambda: login.issuer.refreshed == ["r1"], what="the recheck")
        server.runner.open[0].show(2, is_last=True)
        assert await stream.rest() == [shown(2), COMPLETE]


async def test_stream_ends_with_an_error_when_its_token_expires() -> None:
    clock, limits = LoopClock(), Limits(heartbeat_s=7_200)
    async with streams(limits, expires_at=time.time() + 3_600) as server, server.get("subscription") as stream:
        server.runner.open[0].show(1)
        assert await stream.receive() == shown(1)
        clock.advance(3_600)
        (name, result), end = await stream.rest()
    assert (name, end) == ("next", COMPLETE)
    assert [error["extensions"]["code"] for error in result["errors"]] == ["UNAUTHENTICATED"]


async def test_stopped_stream_ends_without_complete_so_clients_reconnect() -> None:
    async with streams() as server, server.get("subscription") as stream:
        server.runner.open[0].show(1)
        assert await stream.receive() == shown(1)
        server.opened[0].stop()
        assert await stream.rest() == []
        assert server.runner.open == []


async def test_slow_reader_skips_to_the_latest_value() -> None:
    async with streams() as server, _slow_reader(server) as reader:
        [fake] = await server.runner.wait_for_subscriptions(1)
        for number in range(100):
            fake.show([number, "x" * 200_000])
            await asyncio.sleep(0)
        fake.show("latest", is_last=True)
        async with asyncio.timeout(60):
            body = await reader.read()
    count = body.count(b"event: next")
    assert 1 <= count < 50
    assert b'{"data":{"value":"latest"}}' in body
    assert body.rstrip().endswith(b"event: complete\ndata: \n\n\r\n0")


async def test_client_that_reads_nothing_is_disconnected() -> None:
    async with streams(Limits(drain_wait_s=0.2)) as server, _slow_reader(server):
        [fake] = await server.runner.wait_for_subscriptions(1)

        def show() -> bool:
            fake.show("x" * 1_000_000)
            return fake.is_closed

        await wait_until(show, what="the end of a reader that reads nothing")


@asynccontextmanager
async def _slow_reader(server: Streams) -> AsyncIterator[asyncio.StreamReader]:
    """Open a subscription on a connection that buffers little unread data."""
    async with small_buffer_socket(server.base.removeprefix("http://")) as small:
        reader, writer = await asyncio.open_connection(sock=small, limit=4_096)
        writer.write(b"GET /?subscription HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n")
        try:
            yield reader
        finally:
            writer.transport.abort()
