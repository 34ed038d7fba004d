"""Socket limits: what a client may request, and which clients and pages may open a socket."""

import time

import pytest
from websockets.exceptions import InvalidStatus

from domain.errors import TemporarilyUnavailable
from subscriptions.sockets.limits import Limits
from tests.support.loop_clock import LoopClock
from tests.support.sockets import ACK, INIT, Sockets, answer_pings, shown, sockets, subscription
from tests.support.waiting import wait_until


async def test_operation_above_the_limit_gets_an_error_with_its_id() -> None:
    async with sockets(Limits(operations_per_socket=2)) as server, server.signed_in() as client:
        await client.send(subscription("a"), subscription("b"), subscription("c", "query"))
        error = await client.receive()
        assert (error["id"], error["type"]) == ("c", "error")
        assert error["payload"][0]["extensions"]["code"] == "RATE_LIMITED"
        assert error["payload"][0]["message"] == "2 operations are running on this socket; complete one first."
        await client.send({"id": "a", "type": "complete"}, subscription("c", "query"))
        assert (await client.receive())["type"] == "next"


async def test_message_above_the_size_limit_closes_the_socket() -> None:
    async with sockets(Limits(message_bytes=100)) as server, server.signed_in() as client:
        await client.send('{"type":"ping"}'.ljust(100))
        assert await client.receive() == {"type": "pong"}
        await client.send('{"type":"ping","payload":{"a":"' + "é" * 34 + '"}}')
        assert await client.closed() == (4400, "The message has more than 100 bytes")


async def test_full_process_sends_clients_elsewhere() -> None:
    async with sockets(Limits(streams=1)) as server:
        async with server.signed_in(), server.client() as late:
            assert await late.closed() == (1013, "This server is full; try again in a moment")
        await wait_until(lambda: server.capacity.total == 0)
        async with server.signed_in():
            pass


async def test_sockets_per_address_are_limited() -> None:
    async with sockets(Limits(streams_per_address=2, probe_wait_s=60)) as server:
        async with server.signed_in() as one, server.signed_in() as other, server.client() as late:
            await answer_pings(one, other)
            reason = "Your address has reached its limit of open connections (2); try again in a moment"
            assert await late.closed() == (1013, reason)
        await wait_until(lambda: server.capacity.total == 0)
        async with server.signed_in():
            pass


async def test_sockets_per_person_are_limited() -> None:
    async with sockets(Limits(streams_per_person=1, probe_wait_s=60)) as server, server.signed_in("bob"):
        async with server.signed_in("alice") as alice, server.client() as late:
            await late.send(INIT | {"payload": {"Authorization": "Bearer alice"}})
            await answer_pings(alice)
            reason = "Your account has reached its limit of open connections (1); try again in a moment"
            assert await late.closed() == (1013, reason)
        await wait_until(lambda: server.capacity.total == 1)
        async with server.signed_in("alice"):
            pass


@pytest.mark.parametrize(
    ("given", "code", "reason"),
    [
        ("Bearer expired", 4403, "The access token has expired; refresh it or sign in again."),
        ("alice", 4403, "`Authorization` is malformed; send `Bearer <access token>` once."),
        ("Basic YTpi", 4403, "The authorization scheme Basic is not supported; send `Bearer <access token>`."),
        ("Bearer ", 4403, "`Authorization` is malformed; send `Bearer <access token>` once."),
        (7, 4403, "`Authorization` is malformed; send `Bearer <access token>` once."),
        ({"token": "alice"}, 4403, "`Authorization` is malformed; send `Bearer <access token>` once."),
        (
            "Bearer away",
            1013,
            str(TemporarilyUnavailable("The issuer is away")),
        ),
    ],
)
async def test_unusable_token_closes_the_socket(given: object, code: int, reason: str) -> None:
    async with sockets() as server, server.client() as client:
        await client.send(INIT | {"payload": {"Authorization": given}})
        assert await client.closed() == (code, reason)
        assert server.runner.requests == []


@pytest.mark.parametrize("name", ["Authorization", "authorization"])
async def test_operations_run_as_the_person_in_the_token(name: str) -> None:
    async with sockets() as server, server.client() as client:
        await client.send(INIT | {"payload": {name: "bearer alice"}})
        assert await client.receive() == ACK
        await client.subscribe("q", "query")
        await client.receive()
        [caller] = server.runner.callers
        assert caller is not None
        assert caller.person_id == "alice"


async def test_socket_closes_when_its_token_expires() -> None:
    clock = LoopClock()
    async with sockets(Limits(ping_after_s=7_200)) as server:
        server.runner.expires_at = time.time() + 3_600
        async with server.signed_in("alice") as client, server.signed_in() as anonymous:
            await client.subscribe("s")
            [fake] = await server.runner.wait_for_subscriptions(1)
            fake.show(1)
            assert await client.receive() == shown("s", 1)
            clock.advance(3_600)
            assert await client.closed() == (4403, "The access token has expired; reconnect with a new one")
            await server.runner.wait_for_subscriptions(0)
            await anonymous.subscribe("q", "query")
            assert (await anonymous.receive())["id"] == "q"


@pytest.mark.parametrize(
    "origin", [None, "http://{host}", "https://{host}", "HTTP://{host}", "https://shop.example", "https://SHOP.example"]
)
async def test_same_origin_and_allowed_pages_may_open_sockets(origin: str | None) -> None:
    allowed = ("https://shop.example",)
    async with sockets(allowed_origins=allowed) as server, server.signed_in(origin=_origin(server, origin)) as client:
        assert client.connection.subprotocol == "graphql-transport-ws"


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example",
        "null",
        "",
        "http://{host}.evil.example",
        "https://shop.example.evil.example",
        "http://shop.example",
        "https://shop.example:444",
        "http://localhost",
        "http://[",
    ],
)
async def test_other_pages_may_not_open_sockets(origin: str) -> None:
    async with sockets(allowed_origins=("https://shop.example",)) as server:
        with pytest.raises(InvalidStatus) as caught:
            async with server.client(origin=None, additional_headers={"Origin": _origin(server, origin) or ""}):
                pass
        assert caught.value.response.status_code == 403
        assert server.capacity.total == 0


def _origin(server: Sockets, origin: str | None) -> str | None:
    return origin and origin.replace("{host}", server.url.split("/")[2])
