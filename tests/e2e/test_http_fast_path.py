"""Connections on the fast path of HTTP: idle ones, slow readers, restarts and revoked tokens."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from starlette.types import Scope

from settings import Settings
from tests.support.ending_sessions import process_on
from tests.support.http_paths import PEER, Connection, TwoPaths
from tests.support.plain_requests import QUERY, make_body, make_request, usual_headers
from tests.support.shop import Shop, shop_on
from tests.support.switches import is_on
from tests.support.tokens import access_claims, signed
from tests.support.waiting import wait_until
from web.fast_path import request_heads
from web.fast_path.answers import FastPath
from web.fast_path.request_heads import Peer, RequestHeads
from web.proxies import TrustedProxies
from web.request_parsing import IndexedHeaders

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def paths(shop: Shop) -> AsyncIterator[TwoPaths]:
    yield TwoPaths(shop.service)


def request(shop: Shop, body: bytes = QUERY) -> bytes:
    return make_request(usual_headers(shop.token("alice", jti="the same")), body)


async def ask(connection: Connection, sent: bytes) -> bytes:
    """Send a request, and return what is received until no request is being answered."""
    before = len(connection.transport.received)
    await connection.send(sent)
    await connection.answered()
    return bytes(connection.transport.received[before:])


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch) -> list[Scope]:
    """The requests whose heads were parsed for the fast path."""
    scopes: list[Scope] = []

    def record(scope: Scope) -> IndexedHeaders:
        scopes.append(scope)
        return IndexedHeaders(scope)

    monkeypatch.setattr(request_heads, "IndexedHeaders", record)
    return scopes


async def test_clients_with_tokens_take_the_fast_path(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    answered, answer = [], FastPath.answer

    async def record(self: FastPath, *given: object) -> object:
        answered.append(given)
        return await answer(self, *given)  # type: ignore[arg-type]

    monkeypatch.setattr(FastPath, "answer", record)
    async with shop_on(shop.stores, shop.redis_url) as other:
        await other.fields("{ __typename }", by="alice")
        assert len(answered) == is_on("HTTP_FAST_PATH")
        await other.fields("{ __typename }")
        assert len(answered) == is_on("HTTP_FAST_PATH")


async def test_head_is_parsed_once_for_each_peer(shop: Shop, paths: TwoPaths, parsed: list[Scope]) -> None:
    sent = request(shop, body=make_body("{ me { name } }", unused=1))
    connections = [paths.connect(is_fast=True) for _ in range(2)]
    for connection in connections:
        for _ in range(2):
            assert b"200 OK" in await ask(connection, sent)
        await connection.lose()
    assert len(parsed) == 1
    heads, head = paths.fast_path.heads, sent[: sent.index(b"\r\n\r\n") + 4]
    for scheme in ("http", "http", "https"):
        peer = Peer(PEER, scheme)
        found = heads.read(head, peer)
        assert found is not None
        assert found.is_secure == (scheme == "https")
    assert len(parsed) == 2


async def test_remembered_head_does_not_contain_its_token(shop: Shop, paths: TwoPaths) -> None:
    sent = request(shop)
    head, peer = sent[: -len(QUERY)], Peer(PEER, "http")
    found = paths.fast_path.heads.read(head, peer)
    assert found is not None
    assert head[found.authorization].startswith(b"Bearer eyJ")
    assert "eyJ" not in repr(found)


async def test_oldest_heads_are_forgotten(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request_heads, "CAPACITY", 5)
    heads = RequestHeads(TrustedProxies(), shop.service.http.find_format, max_body_bytes=1_000)
    peer = Peer(PEER, "http")
    for number in range(20):
        head = request(shop, make_body("{ me { name } }", number="x" * number))
        heads.read(head[: head.index(b"\r\n\r\n") + 4], peer)
    assert len(heads) == 5


async def test_idle_connection_is_closed_after_the_keep_alive_time(shop: Shop, paths: TwoPaths) -> None:
    connection = paths.connect(is_fast=True)
    connection.protocol.timeout_keep_alive = 0.05  # type: ignore[assignment]
    assert b"200 OK" in await ask(connection, request(shop))
    await wait_until(connection.transport.is_closing, what="the connection to close")


async def test_request_under_way_is_not_idle(shop: Shop, paths: TwoPaths) -> None:
    connection = paths.connect(is_fast=True)
    protocol = connection.protocol
    protocol.timeout_keep_alive = 0.05  # type: ignore[assignment]
    await ask(connection, request(shop))
    protocol.pause_writing()
    await connection.send(request(shop))
    await wait_until(lambda: protocol.timeout_keep_alive_task is None, what="the keep-alive timer")
    assert not connection.transport.is_closing()
    protocol.resume_writing()
    await connection.answered()
    assert connection.transport.received.count(b"200 OK") == 2
    await wait_until(connection.transport.is_closing, what="the connection to close")


async def test_answer_waits_while_the_client_does_not_read(shop: Shop, paths: TwoPaths) -> None:
    connection = paths.connect(is_fast=True)
    connection.protocol.pause_writing()
    await connection.send(request(shop))
    await connection.send(request(shop))
    assert not connection.transport.may_send.is_set(), "the server stops reading"
    for _ in range(100):
        await asyncio.sleep(0)
    assert connection.transport.received == b""
    connection.protocol.resume_writing()
    await connection.answered()
    assert connection.transport.received.count(b"200 OK") == 2
    assert connection.transport.may_send.is_set()
    await connection.lose()


async def test_client_that_leaves_during_its_request_receives_nothing(shop: Shop, paths: TwoPaths) -> None:
    connection = paths.connect(is_fast=True)
    connection.protocol.pause_writing()
    await connection.send(request(shop))
    assert await connection.lose() == (b"", False)
    assert connection.transport.received == b""
    assert connection.server_state.connections == set()


@pytest.mark.parametrize("is_fast", [True, False])
async def test_restart_answers_the_request_under_way(shop: Shop, paths: TwoPaths, is_fast: bool) -> None:
    connection, sent = paths.connect(is_fast=is_fast), request(shop)
    await ask(connection, sent)
    await connection.send(sent[:-5])
    connection.protocol.shutdown()
    assert not connection.transport.is_closing()
    assert len(connection.server_state.tasks) == 1, "the server waits for it"
    answer = await ask(connection, sent[-5:])
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"\r\nconnection: close\r\n" in answer
    assert connection.transport.is_closing()


async def test_restart_closes_idle_connections(shop: Shop, paths: TwoPaths) -> None:
    connection = paths.connect(is_fast=True)
    await ask(connection, request(shop))
    connection.protocol.shutdown()
    assert connection.transport.is_closing()


async def test_request_that_outlasts_the_grace_time_gets_500(shop: Shop, paths: TwoPaths) -> None:
    connection = paths.connect(is_fast=True)
    await connection.send(request(shop)[:-5])
    (task,) = connection.server_state.tasks
    await asyncio.sleep(0)
    task.cancel()
    await connection.answered()
    assert connection.transport.received.startswith(b"HTTP/1.1 500 Internal Server Error\r\n")
    assert connection.transport.is_closing()


async def test_token_revoked_between_two_requests_is_refused(shop: Shop) -> None:
    async with process_on(shop.stores, shop.redis_url, issuer=shop.issuer.issuer) as process:
        two_paths = TwoPaths(process.service)
        sent = make_request(usual_headers(signed(access_claims(shop.issuer.issuer, sid="s1"))))
        connection, other = two_paths.connect(is_fast=True), two_paths.connect(is_fast=True)
        assert b"200 OK" in await ask(connection, sent)
        await process.session_ends.revocations.revoke_session("s1")
        assert b"401 Unauthorized" in await ask(connection, sent)
        unaffected = make_request(usual_headers(signed(access_claims(shop.issuer.issuer, sid="s2"))))
        assert b"200 OK" in await ask(other, unaffected)
        for one in (connection, other):
            await one.lose()


async def test_token_that_expires_between_two_requests_is_refused(shop: Shop, paths: TwoPaths) -> None:
    expires_s = int(time.time()) - Settings().oidc.leeway_s + 4
    sent = make_request(usual_headers(shop.token("alice", exp=expires_s)))
    connection = paths.connect(is_fast=True)
    assert b"200 OK" in await ask(connection, sent)

    async def is_refused() -> bool:
        return b"401 Unauthorized" in await ask(connection, sent)

    await wait_until(is_refused, what="the end of the token")
    await connection.lose()


@pytest.mark.parametrize("options", [{"root_path": "/shop"}, {"limit_concurrency": 100}], ids=str)
async def test_options_that_only_uvicorn_applies_turn_the_fast_path_off(
    shop: Shop, parsed: list[Scope], options: dict[str, Any]
) -> None:
    connection = TwoPaths(shop.service, options).connect(is_fast=True)
    await ask(connection, make_request(usual_headers(shop.token("alice"))))
    await connection.lose()
    assert parsed == []
