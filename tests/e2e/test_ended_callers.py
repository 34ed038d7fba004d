"""Sockets and event streams of a caller whose session ends, with a fake operation runner."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx2
import pytest
from starlette.applications import Starlette
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from domain.errors import SessionLost
from domain.ids import PersonId
from subscriptions.interfaces import Caller, OperationRequest
from subscriptions.sockets.connection_limits import ConnectionCounter
from subscriptions.sse import EventStream
from tests.support.events import Events, events
from tests.support.login_sessions import ALICE as LOGIN_ALICE
from tests.support.login_sessions import Login
from tests.support.revocations import viewer
from tests.support.serving import serving
from tests.support.sockets import DEFAULTS, INIT, SITE, FakeRunner, Sockets, shown, sockets
from tests.support.waiting import wait_until

REASON = "Your session has ended; sign in again"
ALICE = PersonId("alice")


@dataclass
class Ended:
    """The sessions that have ended, and the callback for `refuse_if`."""

    sessions: set[str] = field(default_factory=set)

    def refusal_for(self, caller: Caller) -> str | None:
        return REASON if caller.session_id in self.sessions else None


@dataclass
class Streams:
    """Serves an event stream to Alice, who is signed in with session s1."""

    counter: ConnectionCounter = field(default_factory=lambda: ConnectionCounter(DEFAULTS))
    runner: FakeRunner = field(default_factory=FakeRunner)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        stream = EventStream(DEFAULTS, expires_at=None)
        with self.counter.count_caller(viewer("alice", sid="s1"), stream):
            asked = OperationRequest("subscription", {}, None, {})
            outcome = await self.runner.start(asked, stream.deliver, caller=None, address=None)
            await stream.serve(outcome, receive, send)


@pytest.fixture
def ended() -> Ended:
    return Ended()


@asynccontextmanager
async def server(ended: Ended) -> AsyncIterator[Sockets]:
    async with sockets() as made:
        made.capacity.callers.refuse_if(ended.refusal_for)
        yield made
        await wait_until(lambda: not len(made.capacity.callers), what="all connections to close")


def end_session(server: Sockets, ended: Ended, session_id: str) -> None:
    ended.sessions.add(session_id)
    server.capacity.callers.end_refused(sessions=[session_id])


async def test_socket_of_an_ended_session_is_closed_with_4403(ended: Ended) -> None:
    async with server(ended) as made, made.signed_in("alice/s1") as client, made.signed_in("alice/s2") as other:
        await client.subscribe("1")
        await made.runner.wait_for_subscriptions(1)
        end_session(made, ended, "s1")
        assert await client.closed() == (4403, REASON)
        await made.runner.wait_for_subscriptions(0)
        await other.subscribe("1")
        (fake,) = await made.runner.wait_for_subscriptions(1)
        fake.show(1)
        assert await other.receive() == shown("1", 1)


async def test_each_socket_of_a_person_is_checked_separately(ended: Ended) -> None:
    async with server(ended) as made, made.signed_in("alice/s1") as first, made.signed_in("alice/s2") as second:
        ended.sessions.add("s2")
        made.capacity.callers.end_refused(people=[ALICE])
        assert await second.closed() == (4403, REASON)
        await first.send({"type": "ping"})
        assert await first.receive() == {"type": "pong"}


async def test_session_that_has_already_ended_is_not_acknowledged(ended: Ended) -> None:
    ended.sessions.add("s1")
    async with server(ended) as made, made.client() as client:
        await client.send(INIT | {"payload": {"Authorization": "Bearer alice/s1"}})
        assert await client.closed() == (4403, REASON)


async def test_message_sent_after_the_session_ended_is_not_handled(ended: Ended) -> None:
    async with server(ended) as made, made.signed_in("alice/s1") as client:
        made.runner.gate.clear()
        await client.subscribe("1", "mutation")
        await wait_until(lambda: made.runner.requests, what="the first mutation")
        end_session(made, ended, "s1")
        await client.subscribe("2", "mutation")
        assert await client.closed() == (4403, REASON)
        made.runner.gate.set()
        assert len(made.runner.requests) == 1


async def test_anonymous_sockets_are_not_tracked(ended: Ended) -> None:
    async with server(ended) as made, made.signed_in(), made.signed_in("alice"):
        await wait_until(lambda: len(made.capacity.callers) == 1, what="Alice's socket")


async def test_callers_of_a_person_are_listed(ended: Ended) -> None:
    async with server(ended) as made, made.signed_in("alice/s1"), made.signed_in("alice/s2"), made.signed_in("bob"):
        found = made.capacity.callers.of_person(ALICE)
        assert [caller.session_id for caller in found] == ["s1", "s2"]


@asynccontextmanager
async def stream_of(app: Streams) -> AsyncIterator[Events]:
    async with (
        serving(lambda _: Starlette(routes=[Route("/", app)])) as base,
        httpx2.AsyncClient(base_url=base, timeout=60) as client,
        events(client, "GET", "/") as stream,
    ):
        yield stream


async def test_stream_of_an_ended_session_ends_with_an_error(ended: Ended) -> None:
    app = Streams()
    app.counter.callers.refuse_if(ended.refusal_for)
    async with stream_of(app) as stream:
        (fake,) = await app.runner.wait_for_subscriptions(1)
        fake.show(1)
        assert await stream.receive() == ("next", {"data": {"value": 1}})
        ended.sessions.add("s1")
        app.counter.callers.end_refused(sessions=["s1"])
        fake.show(2)
        (name, result), complete = await stream.rest()
    assert (name, complete) == ("next", ("complete", None))
    (error,) = result["errors"]
    assert (error["message"], error["extensions"]["code"]) == (REASON, "UNAUTHENTICATED")
    assert fake.is_closed
    assert len(app.counter.callers) == 0


async def test_closing_a_socket_signed_in_by_cookie_reports_a_lost_session() -> None:
    login, ended = Login(), Ended({"s1"})
    cookie = await login.sign_in()
    page: dict[str, Any] = {
        "additional_headers": {"Cookie": f"__Host-onsale-session={cookie}"},
        "origin": SITE.origin,
    }
    async with sockets(sessions=login.sessions) as made, made.client(**page) as client:
        await client.sign_in()
        [caller] = made.capacity.callers.of_person(LOGIN_ALICE.person_id)
        ended.sessions.add(caller.session_id or "")
        made.capacity.callers.refuse_if(ended.refusal_for)
        made.capacity.callers.end_refused(people=[caller.person_id])
        assert await client.closed() == (4403, f"SESSION_LOST: {SessionLost()}")


async def test_change_of_roles_is_not_reported_as_a_lost_session() -> None:
    login = Login()
    cookie = await login.sign_in()
    page: dict[str, Any] = {
        "additional_headers": {"Cookie": f"__Host-onsale-session={cookie}"},
        "origin": SITE.origin,
    }
    async with sockets(sessions=login.sessions) as made, made.client(**page) as client:
        await client.sign_in()
        made.capacity.callers.refuse_if(lambda _: "Your roles have changed; reconnect")
        made.capacity.callers.end_refused(people=[LOGIN_ALICE.person_id])
        assert await client.closed() == (4403, "Your roles have changed; reconnect")


async def test_ending_a_stream_signed_in_by_cookie_reports_a_lost_session() -> None:
    login = Login()
    cookie = await login.sign_in()
    stream = EventStream(DEFAULTS, expires_at=None, recheck=login.sessions.recheck(cookie, LOGIN_ALICE))
    stream.end(REASON)
    assert isinstance(stream.refusal, SessionLost)
