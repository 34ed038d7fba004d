"""Sockets with a session cookie: which pages may open them, and when they close."""

from typing import Any

import pytest
from websockets.exceptions import InvalidStatus

from auth.sessions.oidc_client import IssuerUnavailable
from domain.errors import SessionLost
from subscriptions.sockets.limits import Limits
from tests.support.login_sessions import ALICE, Login
from tests.support.loop_clock import LoopClock
from tests.support.sockets import ACK, INIT, SITE, Client, Sockets, shown, sockets
from tests.support.waiting import wait_until

SILENT = Limits(ping_after_s=72_000)
LOST = (4403, f"SESSION_LOST: {SessionLost()}")


def from_page(cookie: str, *, origin: str | None = SITE.origin) -> dict[str, Any]:
    """Return the options for a socket that a page from this origin opens."""
    headers = {"Cookie": f"theme=dark; __Host-onsale-session={cookie}"}
    return {"additional_headers": headers, "origin": origin}


async def test_cookie_from_our_page_signs_the_socket_in() -> None:
    login = Login()
    cookie = await login.sign_in()
    async with sockets(sessions=login.sessions) as server, server.client(**from_page(cookie)) as client:
        await client.sign_in()
        await client.subscribe("q", "query")
        await client.receive()
        [caller] = server.runner.callers
        assert caller is not None
        assert (caller.person_id, caller.expires_at) == (ALICE.person_id, None)


@pytest.mark.parametrize(
    "origin", [None, "null", "https://evil.example", "https://shop.example", "http://tickets.example", "{host}"]
)
async def test_cookie_from_another_page_is_refused_and_runs_nothing(origin: str | None) -> None:
    login = Login()
    cookie = await login.sign_in()
    async with sockets(sessions=login.sessions, allowed_origins=("https://shop.example",)) as server:
        own_host = server.url.replace("ws", "http", 1).removesuffix("/graphql")
        page = from_page(cookie, origin=origin and origin.replace("{host}", own_host))
        with pytest.raises(InvalidStatus) as caught:
            async with server.client(**page):
                pass
        answer = caught.value.response
        assert answer.status_code == 403
        assert "ONSALE_PUBLIC_URL" in (answer.body or b"").decode()
        assert (server.capacity.total, server.runner.requests) == (0, [])


async def test_token_in_connection_init_wins_over_the_cookie() -> None:
    login = Login()
    cookie = await login.sign_in()
    async with sockets(sessions=login.sessions) as server, server.client(**from_page(cookie)) as client:
        await client.sign_in("bob")
        await client.subscribe("q", "query")
        await client.receive()
        assert [caller and caller.person_id for caller in server.runner.callers] == ["bob"]


async def test_bad_token_is_refused_even_if_the_cookie_is_good() -> None:
    login = Login()
    cookie = await login.sign_in()
    async with sockets(sessions=login.sessions) as server, server.client(**from_page(cookie)) as client:
        await client.send(INIT | {"payload": {"Authorization": "Bearer expired"}})
        code, reason = await client.closed()
        assert (code, reason.startswith("The access token has expired")) == (4403, True)
        assert server.runner.requests == []


@pytest.mark.parametrize("first", [None, "Bearer alice"])
async def test_second_token_never_falls_back_to_the_cookie(first: str | None) -> None:
    login = Login()
    cookie = await login.sign_in()
    async with sockets(sessions=login.sessions) as server, server.client(**from_page(cookie)) as client:
        await client.send(INIT | {"payload": {"Authorization": first, "authorization": "Bearer expired"}})
        assert (await client.closed())[0] == 4403


async def test_unknown_cookie_closes_the_socket_as_a_lost_session() -> None:
    async with sockets(sessions=Login().sessions) as server, server.client(**from_page("unknown")) as client:
        await client.send(INIT)
        assert await client.closed() == LOST
        assert server.runner.requests == []


async def test_session_socket_outlives_its_token() -> None:
    clock, login = LoopClock(), Login()
    cookie = await login.sign_in()
    async with sockets(SILENT, sessions=login.sessions) as server, _watching(server, cookie) as client:
        for number in range(1, 4):
            await _recheck(clock, login, client, server)
            await _until_renewed(login, cookie, f"r{number + 1}")
            login.memory.end_claims()
            server.runner.open[0].show(number)
            assert await client.receive() == shown("s", number)


async def test_socket_closes_when_a_recheck_finds_the_session_lost() -> None:
    clock, login = LoopClock(), Login()
    cookie = await login.sign_in()
    async with sockets(SILENT, sessions=login.sessions) as server, _watching(server, cookie) as client:
        await login.sessions.end(cookie)
        await _recheck(clock, login, client, server)
        assert await client.closed() == LOST
        await server.runner.wait_for_subscriptions(0)


async def test_socket_survives_an_issuer_outage_for_the_configured_time() -> None:
    clock, login = LoopClock(), Login()
    cookie = await login.sign_in()
    async with sockets(SILENT, sessions=login.sessions) as server, _watching(server, cookie) as client:
        login.issuer.failure = IssuerUnavailable("no answer")
        await _recheck(clock, login, client, server)
        await wait_until(lambda: login.issuer.refreshed == ["r1"], what="a recheck")
        server.runner.open[0].show("still here")
        assert await client.receive() == shown("s", "still here")
        login.clock.advance(600)
        await _recheck(clock, login, client, server)
        code, reason = await client.closed()
        assert (code, "issuer cannot be reached to renew your session" in reason) == (1013, True)


async def test_socket_without_a_cookie_follows_the_origin_rules() -> None:
    async with sockets(allowed_origins=("https://shop.example",)) as server:
        async with server.signed_in("alice", origin="https://shop.example"):
            pass
        async with server.client(additional_headers={"Cookie": "theme=dark"}, origin=None) as client:
            await client.send(INIT)
            assert await client.receive() == ACK


async def _until_renewed(login: Login, cookie: str, refresh_token: str) -> None:
    async def is_renewed() -> bool:
        return (await login.sessions.current(cookie)).refresh_token == refresh_token

    await wait_until(is_renewed, what="a renewal by the recheck")


class _watching:
    """Alice's page, with one subscription."""

    def __init__(self, server: Sockets, cookie: str) -> None:
        self._server = server
        self._client = server.client(**from_page(cookie))

    async def __aenter__(self) -> Client:
        client = await self._client.__aenter__()
        await client.sign_in()
        await client.subscribe("s")
        await self._server.runner.wait_for_subscriptions(1)
        return client

    async def __aexit__(self, *raised: object) -> None:
        await self._client.__aexit__(*raised)  # type: ignore[arg-type]


async def _recheck(clock: LoopClock, login: Login, client: Client, server: Sockets) -> None:
    """Advance the clocks past the next recheck. A message wakes the loop, which may be waiting."""
    login.clock.advance(600)
    clock.advance(601)
    await client.send({"type": "pong"})
