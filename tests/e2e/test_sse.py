"""An event stream from the first event to its end, in front of a stand-in."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import httpx2
import pytest
from starlette.applications import Starlette
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from subscriptions.interfaces import OperationRequest
from subscriptions.sockets.limits import Limits
from subscriptions.sse import EventStream
from tests.support.events import COMMENT, Events, events
from tests.support.serving import serving
from tests.support.sockets import DEFAULTS, FakeRunner
from tests.support.waiting import wait_until


@dataclass(eq=False)
class Streams:
    """An ASGI application: the query string is the document."""

    limits: Limits
    behind: FakeRunner = field(default_factory=FakeRunner)
    expires_at: float | None = None
    opened: list[EventStream] = field(default_factory=list)
    base: str = ""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.opened.append(EventStream(self.limits, expires_at=self.expires_at))
        asked = OperationRequest(scope["query_string"].decode(), {}, None, {})
        outcome = await self.behind.start(asked, self.opened[-1].deliver, caller=None, address=None)
        await self.opened[-1].serve(outcome, receive, send)

    @asynccontextmanager
    async def get(self, document: str) -> AsyncIterator[Events]:
        async with httpx2.AsyncClient(base_url=self.base) as client, events(client, "GET", f"/?{document}") as heard:
            yield heard


@asynccontextmanager
async def streams(limits: Limits = DEFAULTS, *, expires_at: float | None = None) -> AsyncIterator[Streams]:
    made = Streams(limits, expires_at=expires_at)
    async with serving(lambda _: Starlette(routes=[Route("/", made)])) as made.base:
        yield made


def shown(value: object) -> tuple[str, object]:
    return "next", {"data": {"value": value}}


COMPLETE = ("complete", None)


async def test_a_subscription_shows_what_happens_until_it_ends() -> None:
    async with streams() as server, server.get("subscription") as heard:
        [watched] = await server.behind.wait_for_subscriptions(1)
        for value in (1, "two\nlines", {"ü": "🎫"}):
            watched.show(value)
            assert await heard.hear() == shown(value)
        watched.show("last", is_last=True)
        assert await heard.rest() == [shown("last"), COMPLETE]
        assert server.behind.open == []


async def test_the_headers_keep_events_moving() -> None:
    async with streams() as server, server.get("query") as heard:
        headers = heard.response.headers
    assert headers["content-type"] == "text/event-stream; charset=utf-8"
    assert (headers["cache-control"], headers["x-accel-buffering"]) == ("no-store", "no")


@pytest.mark.parametrize(
    ("document", "result"),
    [("query", {"data": {"query": {}}}), ("mutation", {"data": {"mutation": {}}})],
)
async def test_a_query_is_one_next_and_a_complete(document: str, result: object) -> None:
    async with streams() as server, server.get(document) as heard:
        assert await heard.rest() == [("next", result), COMPLETE]


async def test_errors_before_the_first_event_are_a_next_and_a_complete() -> None:
    async with streams() as server, server.get("nonsense") as heard:
        assert heard.response.status_code == 200
        assert await heard.rest() == [("next", {"errors": [{"message": "Syntax Error"}]}), COMPLETE]


async def test_a_complete_has_a_line_of_data_because_browsers_need_one() -> None:
    async with streams() as server, httpx2.AsyncClient(base_url=server.base) as client:
        answer = await client.get("/?query")
    assert answer.text == 'event: next\ndata: {"data":{"query":{}}}\n\nevent: complete\ndata: \n\n'


async def test_a_silent_stream_shows_signs_of_life() -> None:
    async with streams(Limits(heartbeat_s=0.05)) as server, server.get("subscription") as heard:
        assert [await heard.hear() for _ in range(3)] == [COMMENT] * 3
        server.behind.open[0].show(1)
        while (event := await heard.hear()) == COMMENT:
            pass
        assert event == shown(1)


async def test_whoever_leaves_is_watched_for_no_more() -> None:
    async with streams() as server:
        async with server.get("subscription"):
            await server.behind.wait_for_subscriptions(1)
        await server.behind.wait_for_subscriptions(0)


async def test_a_stream_ends_with_its_token_and_says_so() -> None:
    async with streams(expires_at=time.time() + 0.3) as server, server.get("subscription") as heard:
        server.behind.open[0].show(1)
        assert await heard.hear() == shown(1)
        (name, result), end = await heard.rest()
    assert (name, end) == ("next", COMPLETE)
    assert [error["extensions"]["code"] for error in result["errors"]] == ["UNAUTHENTICATED"]


async def test_a_process_that_ends_completes_nothing_so_that_clients_come_back() -> None:
    async with streams() as server, server.get("subscription") as heard:
        server.behind.open[0].show(1)
        assert await heard.hear() == shown(1)
        server.opened[0].stop()
        assert await heard.rest() == []
        assert server.behind.open == []


async def test_a_slow_reader_gets_the_newest_state() -> None:
    async with streams() as server, _reluctant(server) as reader:
        [watched] = await server.behind.wait_for_subscriptions(1)
        for number in range(100):
            watched.show([number, "x" * 200_000])
            await asyncio.sleep(0)
        watched.show("newest", is_last=True)
        async with asyncio.timeout(10):
            everything = await reader.read()
    events_read = everything.count(b"event: next")
    assert 1 <= events_read < 50
    assert b'{"data":{"value":"newest"}}' in everything
    assert everything.rstrip().endswith(b"event: complete\ndata: \n\n\r\n0")


async def test_whoever_reads_nothing_is_let_go() -> None:
    async with streams(Limits(drain_wait_s=0.2)) as server, _reluctant(server):
        [watched] = await server.behind.wait_for_subscriptions(1)

        def show() -> bool:
            watched.show("x" * 1_000_000)
            return watched.is_closed

        await wait_until(show, what="the end of a reader that reads nothing")


@asynccontextmanager
async def _reluctant(server: Streams) -> AsyncIterator[asyncio.StreamReader]:
    """Its connection takes little before it is read."""
    host, port = server.base.removeprefix("http://").split(":")
    with socket.socket() as small:
        small.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        small.setblocking(False)
        await asyncio.get_running_loop().sock_connect(small, (host, int(port)))
        reader, writer = await asyncio.open_connection(sock=small, limit=4_096)
        writer.write(b"GET /?subscription HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n")
        try:
            yield reader
        finally:
            writer.transport.abort()
