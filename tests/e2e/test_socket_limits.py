"""What one client may ask of a socket, who may open one, and how each ends."""

import time

import pytest
from websockets.exceptions import InvalidStatus

from domain.errors import TemporarilyUnavailable
from subscriptions.sockets.limits import Limits
from tests.support.sockets import ACK, INIT, Sockets, answer_pings, shown, sockets, subscription
from tests.support.waiting import wait_until


async def test_one_operation_too_many_is_an_error_for_its_id() -> None:
    async with sockets(Limits(operations_per_socket=2)) as server, server.signed_in() as client:
        await client.say(subscription("a"), subscription("b"), subscription("c", "query"))
        error = await client.hear()
        assert (error["id"], error["type"]) == ("c", "error")
        assert error["payload"][0]["extensions"]["code"] == "RATE_LIMITED"
        assert error["payload"][0]["message"] == "2 operations are running on this socket; complete one first."
        await client.say({"id": "a", "type": "complete"}, subscription("c", "query"))
        assert (await client.hear())["type"] == "next"


async def test_a_message_may_have_so_many_bytes_and_no_more() -> None:
    async with sockets(Limits(message_bytes=100)) as server, server.signed_in() as client:
        await client.say('{"type":"ping"}'.ljust(100))
        assert await client.hear() == {"type": "pong"}
        await client.say('{"type":"ping","payload":{"a":"' + "é" * 34 + '"}}')
        assert await client.closed() == (4400, "The message has more than 100 bytes")


async def test_a_full_process_sends_clients_elsewhere() -> None:
    async with sockets(Limits(streams=1)) as server:
        async with server.signed_in(), server.client() as late:
            assert await late.closed() == (1013, "This server is full; try again in a moment")
        await wait_until(lambda: server.capacity.total == 0)
        async with server.signed_in():
            pass


async def test_an_address_has_so_many_sockets() -> None:
    async with sockets(Limits(streams_per_address=2, probe_wait_s=60)) as server:
        async with server.signed_in() as one, server.signed_in() as other, server.client() as late:
            await answer_pings(one, other)
            reason = "Your address has reached its limit of open connections (2); try again in a moment"
            assert await late.closed() == (1013, reason)
        await wait_until(lambda: server.capacity.total == 0)
        async with server.signed_in():
            pass


async def test_a_person_has_so_many_sockets() -> None:
    async with sockets(Limits(streams_per_person=1, probe_wait_s=60)) as server, server.signed_in("bob"):
        async with server.signed_in("alice") as alice, server.client() as late:
            await late.say(INIT | {"payload": {"Authorization": "Bearer alice"}})
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
        ("alice", 4403, "`Authorization` is malformed; send `Bearer <access token>`"),
        ("Basic YTpi", 4403, "`Authorization` is malformed; send `Bearer <access token>`"),
        ("Bearer ", 4403, "`Authorization` is malformed; send `Bearer <access token>`"),
        (7, 4403, "`Authorization` is malformed; send `Bearer <access token>`"),
        ({"token": "alice"}, 4403, "`Authorization` is malformed; send `Bearer <access token>`"),
        (
            "Bearer away",
            1013,
            str(TemporarilyUnavailable("The issuer is away")),
        ),
    ],
)
async def test_a_token_that_does_not_convince_closes(given: object, code: int, reason: str) -> None:
    async with sockets() as server, server.client() as client:
        await client.say(INIT | {"payload": {"Authorization": given}})
        assert await client.closed() == (code, reason)
        assert server.behind.requests == []


@pytest.mark.parametrize("name", ["Authorization", "authorization"])
async def test_the_token_says_who_asks(name: str) -> None:
    async with sockets() as server, server.client() as client:
        await client.say(INIT | {"payload": {name: "bearer alice"}})
        assert await client.hear() == ACK
        await client.subscribe("q", "query")
        await client.hear()
        [caller] = server.behind.callers
        assert caller is not None
        assert caller.person_id == "alice"


async def test_a_socket_ends_with_its_token() -> None:
    async with sockets() as server:
        server.behind.expires_at = time.time() + 0.3
        async with server.signed_in("alice") as client, server.signed_in() as anonymous:
            await client.subscribe("s")
            [watched] = await server.behind.wait_for_subscriptions(1)
            watched.show(1)
            assert await client.hear() == shown("s", 1)
            assert await client.closed() == (4403, "The access token has expired; reconnect with a new one")
            assert time.time() >= server.behind.expires_at
            await server.behind.wait_for_subscriptions(0)
            await anonymous.subscribe("q", "query")
            assert (await anonymous.hear())["id"] == "q"


@pytest.mark.parametrize(
    "origin", [None, "http://{host}", "https://{host}", "HTTP://{host}", "https://shop.example", "https://SHOP.example"]
)
async def test_pages_of_ours_may_open_sockets(origin: str | None) -> None:
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
async def test_pages_of_others_may_not(origin: str) -> None:
    async with sockets(allowed_origins=("https://shop.example",)) as server:
        with pytest.raises(InvalidStatus) as caught:
            async with server.client(origin=None, additional_headers={"Origin": _origin(server, origin) or ""}):
                pass
        assert caught.value.response.status_code == 403
        assert server.capacity.total == 0


def _origin(server: Sockets, origin: str | None) -> str | None:
    return origin and origin.replace("{host}", server.url.split("/")[2])
