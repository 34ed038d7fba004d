"""The client of graphql-transport-ws against a server that says what the test wants: what it yields, what it takes for
a lost connection and what for a fault.
"""

import asyncio
from typing import Any

import pytest

from bench.sale.sockets import SocketLost, SocketRefused, subscribed
from tests.support.fake_ws_server import run_fake_server


def pushed(number: int) -> dict[str, Any]:
    return {"id": "1", "type": "next", "payload": {"data": {"queuePosition": {"number": number}}}}


def error(*codes: str) -> list[dict[str, Any]]:
    return [{"message": "m", "extensions": {"code": code}} for code in codes]


COMPLETE = {"id": "1", "type": "complete"}


async def values(url: str) -> list[dict[str, Any]]:
    async with subscribed(url, "token", "document", {"id": "c"}) as subscription:
        return [value async for value in subscription]


async def test_it_signs_in_subscribes_and_yields_until_the_end() -> None:
    async with run_fake_server(pushed(1), pushed(2), COMPLETE) as (server, url):
        assert await values(url) == [{"number": 1}, {"number": 2}]
    assert server.heard == [
        {"type": "connection_init", "payload": {"Authorization": "Bearer token"}},
        {"id": "1", "type": "subscribe", "payload": {"query": "document", "variables": {"id": "c"}}},
    ]


async def test_it_answers_a_ping() -> None:
    async with run_fake_server({"type": "ping"}, pushed(1), COMPLETE) as (server, url):
        assert await values(url) == [{"number": 1}]
    assert {"type": "pong"} in server.heard


@pytest.mark.parametrize("code", [1001, 1012, 1013, 4403, 4408])
async def test_a_close_that_clients_retry_is_a_lost_socket(code: int) -> None:
    async with run_fake_server(pushed(1), code) as (_, url):
        with pytest.raises(SocketLost, match=f"socket closed with {code}"):
            await values(url)


@pytest.mark.parametrize("code", [1002, 1011, 4400, 4401, 4406, 4409, 4429, 4500])
async def test_a_close_that_clients_give_up_on_is_a_fault(code: int) -> None:
    async with run_fake_server(code) as (_, url):
        with pytest.raises(SocketRefused, match=f"closed with {code} because"):
            await values(url)


@pytest.mark.parametrize(
    ("message", "fault"),
    [
        ({"id": "1", "type": "error", "payload": error("UNAVAILABLE")}, SocketLost),
        ({"id": "1", "type": "error", "payload": error("UNAUTHENTICATED")}, SocketRefused),
        ({"id": "1", "type": "next", "payload": {"data": None, "errors": error("UNAVAILABLE")}}, SocketLost),
        ({"id": "1", "type": "next", "payload": {"data": None, "errors": error("INTERNAL")}}, SocketRefused),
        ({"id": "1", "type": "next", "payload": {"data": None}}, SocketRefused),
        ({"type": "connection_ack"}, SocketRefused),
    ],
)
async def test_an_error_is_what_its_codes_say(message: dict[str, Any], fault: type[Exception]) -> None:
    async with run_fake_server(message) as (_, url):
        with pytest.raises(fault):
            await values(url)


async def test_a_dropped_connection_is_a_lost_socket() -> None:
    async def drop(url: str) -> None:
        async with subscribed(url, None, "document", {}) as subscription:
            async for _ in subscription:
                subscription.drop()

    async with run_fake_server(pushed(1)) as (_, url):
        with pytest.raises(SocketLost, match="socket closed with 1006"):
            await drop(url)


async def test_nobody_at_home_is_a_lost_socket() -> None:
    async with run_fake_server() as (_, url):
        pass
    with pytest.raises(SocketLost, match="no connection"):
        await asyncio.wait_for(values(url), 5)
