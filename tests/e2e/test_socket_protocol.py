"""The graphql-transport-ws protocol: how the socket answers each message, and when it closes."""

from collections.abc import AsyncIterator

import orjson
import pytest
import pytest_asyncio
from websockets.exceptions import InvalidStatus

from subscriptions.sockets.limits import Limits
from tests.support.loop_clock import LoopClock
from tests.support.sockets import ACK, INIT, Sockets, completed, shown, sockets, subscription
from tests.support.waiting import wait_until

BAD_ID = "`id` must be a string of 1 to 255 characters"
UNAUTHORIZED = "Unauthorized; send connection_init and wait for connection_ack"


@pytest_asyncio.fixture
async def server() -> AsyncIterator[Sockets]:
    async with sockets() as server:
        yield server


def subscribing(**payload: object) -> dict[str, object]:
    return {"id": "1", "type": "subscribe", "payload": payload}


@pytest.mark.parametrize("payload", [{}, {"payload": None}, {"payload": {}}, {"payload": {"theme": "dark"}}])
async def test_init_is_acknowledged(server: Sockets, payload: dict[str, object]) -> None:
    async with server.client() as client:
        await client.send(INIT | payload)
        assert await client.receive() == ACK


MALFORMED: list[tuple[object, str]] = [
    ("", "The message is not valid JSON: "),
    ("{", "The message is not valid JSON: "),
    ("NaN", "The message is not valid JSON: "),
    ("[" * 2_000, "The message is not valid JSON: "),
    ('{"type":"ping","payload":{"a":"\\ud800"}}', "The message is not valid JSON: "),
    (b'{"type":"ping"}', "The message is binary; send text"),
    ([], "The message is not a JSON object"),
    ([INIT], "The message is not a JSON object"),
    ('"connection_init"', "The message is not a JSON object"),
    ("7", "The message is not a JSON object"),
    ("null", "The message is not a JSON object"),
    ({}, "The message has no type"),
    ({"type": None}, "The message has no type"),
    ({"type": "start"}, "Clients cannot send a message of type 'start'"),
    ({"type": "next", "id": "1"}, "Clients cannot send a message of type 'next'"),
    ({"type": ["ping"]}, "Clients cannot send a message of type ['ping']"),
    ({"type": "ping", "payload": []}, "`payload` must be an object or null"),
    ({"type": "pong", "payload": "x"}, "`payload` must be an object or null"),
    ({"type": "connection_init", "payload": []}, "`payload` must be an object or null"),
    ({"type": "connection_init", "payload": "x"}, "`payload` must be an object or null"),
    ({"type": "complete"}, BAD_ID),
    ({"type": "complete", "id": 1}, BAD_ID),
    ({"type": "subscribe", "payload": {"query": "query"}}, BAD_ID),
    (subscription("") | {"id": 1}, BAD_ID),
    (subscription("") | {"id": []}, BAD_ID),
    (subscription(""), BAD_ID),
    (subscription("x" * 256), BAD_ID),
    ({"type": "subscribe", "id": "1"}, "`payload` is missing; send `query` and `variables` in it"),
    ({"type": "subscribe", "id": "1", "payload": []}, "`payload` must be an object or null"),
    ({"type": "subscribe", "id": "1", "payload": "query"}, "`payload` must be an object or null"),
    (subscribing(), "`query` is missing; send the GraphQL document in it"),
    (subscribing(query=7), "`query` must be a string or null"),
    (subscribing(query="query", variables=[]), "`variables` must be an object or null"),
    (subscribing(query="query", operationName=1), "`operationName` must be a string or null"),
    (subscribing(query="query", extensions=[]), "`extensions` must be an object or null"),
    ({"type": "ping", "payload": {"x": "y" * 65_536}}, "The message has more than 65536 bytes"),
    ("x" * 10_000_000, "The message has more than 65536 bytes"),
]


@pytest.mark.parametrize(("message", "reason"), MALFORMED, ids=lambda value: repr(value)[:48])
async def test_malformed_message_closes_the_socket(server: Sockets, message: object, reason: str) -> None:
    async with server.signed_in() as client:
        await client.send(message)
        code, closed_with = await client.closed()
    assert (code, closed_with[: len(reason)]) == (4400, reason)


async def test_malformed_message_before_the_init_closes_the_socket(server: Sockets) -> None:
    async with server.client() as client:
        await client.send([])
        assert await client.closed() == (4400, "The message is not a JSON object")


@pytest.mark.parametrize("character", ["x", "é", "€", "🎫"])
async def test_close_reason_is_truncated_between_characters(server: Sockets, character: str) -> None:
    async with server.client() as client:
        await client.send({"type": character * 200})
        code, reason = await client.closed()
    whole = f"Clients cannot send a message of type '{character * 200}'"
    assert code == 4400
    assert whole.startswith(reason.removesuffix("…"))
    assert 123 - 4 < len(reason.encode()) <= 123


CLOSED: list[tuple[list[object], int, str]] = [
    ([subscription("1")], 4401, UNAUTHORIZED),
    ([{"type": "ping"}, subscription("1")], 4401, UNAUTHORIZED),
    ([INIT, INIT], 4429, "Too many initialisation requests"),
    ([INIT, subscription("a"), INIT], 4429, "Too many initialisation requests"),
    ([INIT, subscription("a"), subscription("a")], 4409, "Subscriber for a already exists"),
    ([INIT, subscription("€" * 99), subscription("€" * 99)], 4409, "Subscriber for " + "€" * 35 + "…"),
]


@pytest.mark.parametrize(("sent", "code", "reason"), CLOSED)
async def test_unexpected_message_closes_the_socket(
    server: Sockets, sent: list[object], code: int, reason: str
) -> None:
    async with server.client() as client:
        await client.send(*sent)
        assert await client.closed() == (code, reason)
    await server.runner.wait_for_subscriptions(0)


async def test_socket_that_sends_no_init_is_closed() -> None:
    async with sockets(Limits(init_wait_s=0.05)) as server, server.client() as client:
        assert await client.closed() == (4408, "Connection initialisation timeout")


async def test_pings_do_not_replace_the_init() -> None:
    clock = LoopClock()
    async with sockets(Limits(init_wait_s=3_600)) as server, server.client() as client:
        await client.send({"type": "ping"})
        assert await client.receive() == {"type": "pong"}
        clock.advance(3_600)
        assert await client.closed() == (4408, "Connection initialisation timeout")


@pytest.mark.parametrize("protocols", [("graphql-ws",), ("graphql-ws", "chat"), ()])
async def test_other_subprotocols_are_refused(server: Sockets, protocols: tuple[str, ...]) -> None:
    async with server.client(protocols=protocols) as client:
        assert await client.closed() == (4406, "The subprotocol is not supported; use graphql-transport-ws")


async def test_supported_subprotocol_is_chosen_from_several(server: Sockets) -> None:
    async with server.signed_in(protocols=("graphql-ws", "graphql-transport-ws")) as client:
        assert client.connection.subprotocol == "graphql-transport-ws"


@pytest.mark.parametrize("payload", [{}, {"payload": {"at": 7, "name": "Zoë"}}])
async def test_ping_is_echoed(server: Sockets, payload: dict[str, object]) -> None:
    async with server.signed_in() as client:
        await client.send({"type": "ping"} | payload)
        assert await client.receive() == {"type": "pong"} | payload


async def test_unexpected_pong_is_ignored(server: Sockets) -> None:
    async with server.signed_in() as client:
        await client.send({"type": "pong", "payload": {}}, {"type": "ping"})
        assert await client.receive() == {"type": "pong"}


async def test_unanswered_ping_closes_the_socket_with_a_retryable_code() -> None:
    async with sockets(Limits(ping_after_s=0.05, pong_wait_s=0.05)) as server, server.signed_in() as client:
        assert await client.receive() == {"type": "ping"}
        assert await client.closed() == (1001, "The client did not answer a ping")


async def test_client_that_answers_pings_stays_connected() -> None:
    async with sockets(Limits(ping_after_s=0.02, pong_wait_s=600)) as server, server.signed_in() as client:
        for _ in range(5):
            assert await client.receive() == {"type": "ping"}
            await client.send({"type": "pong"})


@pytest.mark.parametrize("kind", ["query", "mutation"])
async def test_query_or_mutation_gets_one_next_and_a_complete(server: Sockets, kind: str) -> None:
    async with server.signed_in() as client:
        await client.subscribe("q", kind, first=3)
        assert await client.receive() == {"id": "q", "type": "next", "payload": {"data": {kind: {"first": 3}}}}
        assert await client.receive() == completed("q")


async def test_all_fields_of_the_payload_reach_the_operation(server: Sockets) -> None:
    async with server.signed_in("alice") as client:
        await client.send(subscribing(query="query A", operationName="A", variables=None, extensions={"trace": 1}))
        await client.receive()
    asked, caller = server.runner.requests[0], server.runner.callers[0]
    assert (asked.document, asked.name, asked.variables, asked.extensions) == ("query A", "A", {}, {"trace": 1})
    assert caller is not None
    assert caller.person_id == "alice"


async def test_subscription_sends_each_value_until_it_ends(server: Sockets) -> None:
    async with server.signed_in() as client:
        await client.subscribe("s")
        [fake] = await server.runner.wait_for_subscriptions(1)
        for value in (1, 2):
            fake.show(value)
            assert await client.receive() == shown("s", value)
        fake.show(3, is_last=True)
        assert [await client.receive(), await client.receive()] == [shown("s", 3), completed("s")]
        assert server.runner.open == []


@pytest.mark.parametrize("id_", ['quo"te', "back\\slash", "new\nline", "🎫", "x" * 255])
async def test_any_string_may_be_an_id(server: Sockets, id_: str) -> None:
    async with server.signed_in() as client:
        await client.subscribe(id_)
        [fake] = await server.runner.wait_for_subscriptions(1)
        fake.show(1, is_last=True)
        assert [await client.receive(), await client.receive()] == [shown(id_, 1), completed(id_)]


@pytest.mark.parametrize("size", [124, 125, 126, 65_535, 65_536, 200_000])
async def test_payloads_of_every_size_arrive(server: Sockets, size: int) -> None:
    async with server.signed_in() as client:
        await client.subscribe("s")
        [fake] = await server.runner.wait_for_subscriptions(1)
        fake.show("x" * size)
        assert await client.receive() == shown("s", "x" * size)


async def test_invalid_operation_causes_an_error_only_for_its_id(server: Sockets) -> None:
    async with server.signed_in() as client:
        await client.subscribe("good")
        [fake] = await server.runner.wait_for_subscriptions(1)
        await client.subscribe("bad", "{")
        assert await client.receive() == {"id": "bad", "type": "error", "payload": [{"message": "Syntax Error"}]}
        fake.show(1)
        assert await client.receive() == shown("good", 1)


async def test_internal_error_is_reported_only_for_its_id(server: Sockets) -> None:
    async with server.signed_in() as client:
        await client.subscribe("bad", "broken")
        error = await client.receive()
        assert (error["id"], error["type"]) == ("bad", "error")
        assert error["payload"][0]["extensions"]["code"] == "INTERNAL"
        assert "mistake" not in orjson.dumps(error).decode()
        await client.subscribe("good", "query")
        assert (await client.receive())["id"] == "good"


async def test_message_may_have_extensions_instead_of_a_document(server: Sockets) -> None:
    async with server.signed_in() as client:
        await client.send(subscribing(extensions={"persistedQuery": {"version": 1}}))
        assert (await client.receive())["type"] == "error"
    assert server.runner.requests[0].document is None


async def test_complete_for_an_unknown_id_is_ignored(server: Sockets) -> None:
    async with server.signed_in() as client:
        await client.send(completed("unknown"), {"type": "ping"})
        assert await client.receive() == {"type": "pong"}


async def test_complete_from_the_client_stops_messages_and_frees_the_id(server: Sockets) -> None:
    async with server.signed_in() as client:
        await client.subscribe("s")
        [first] = await server.runner.wait_for_subscriptions(1)
        await client.send(completed("s"), subscription("s", "subscription again"))
        await _until_open(server, "subscription again")
        first.show("late")
        [again] = server.runner.open
        again.show("new")
        assert await client.receive() == shown("s", "new")


@pytest.mark.parametrize("ending", ["query", "broken", "{", "last"])
async def test_id_is_free_once_its_last_message_has_arrived(server: Sockets, ending: str) -> None:
    async with server.signed_in() as client:
        for _ in range(20):
            await client.subscribe("s", "subscription" if ending == "last" else ending)
            if ending == "last":
                [fake] = await server.runner.wait_for_subscriptions(1)
                fake.show(1, is_last=True)
            while (await client.receive())["type"] == "next":
                pass


async def test_cancelled_operation_is_not_answered(server: Sockets) -> None:
    async with server.signed_in() as client:
        server.runner.gate.clear()
        await client.send(subscription("q", "mutation"), subscription("s"), completed("q"), completed("s"))
        await client.send({"type": "ping"})
        assert await client.receive() == {"type": "pong"}
        server.runner.gate.set()
        await client.subscribe("next", "query")
        assert (await client.receive())["id"] == "next"
    assert server.runner.finished == 3
    assert server.runner.open == []


async def test_closing_a_socket_ends_subscriptions_but_lets_mutations_finish(server: Sockets) -> None:
    async with server.signed_in() as client:
        await client.subscribe("s")
        await server.runner.wait_for_subscriptions(1)
        server.runner.gate.clear()
        await client.send(subscription("m", "mutation"), subscription("late"))
        await _until_asked(server, 3)
    await server.runner.wait_for_subscriptions(0)
    server.runner.gate.set()
    await _until_gone(server)
    assert server.runner.finished == 3
    assert server.runner.open == []


async def test_broken_connection_ends_its_subscriptions(server: Sockets) -> None:
    async with server.signed_in() as client:
        await client.subscribe("s")
        await server.runner.wait_for_subscriptions(1)
        client.connection.transport.abort()
        await server.runner.wait_for_subscriptions(0)


async def test_concurrent_operations_get_their_own_results(server: Sockets) -> None:
    async with server.signed_in() as client:
        for number in range(40):
            await client.subscribe(str(number), "query", n=number)
        received = [await client.receive() for _ in range(80)]
    answers = {m["id"]: m["payload"]["data"]["query"]["n"] for m in received if m["type"] == "next"}
    assert answers == {str(number): number for number in range(40)}
    for number in range(40):
        assert [m["type"] for m in received if m["id"] == str(number)] == ["next", "complete"]


async def test_other_paths_are_refused(server: Sockets) -> None:
    elsewhere = Sockets(server.url.replace("/graphql", "/other"), server.runner, server.capacity)
    with pytest.raises(InvalidStatus):
        async with elsewhere.client():
            pass


async def _until_open(server: Sockets, document: str) -> None:
    await wait_until(lambda: [fake.document for fake in server.runner.open] == [document])


async def _until_asked(server: Sockets, count: int) -> None:
    await wait_until(lambda: len(server.runner.requests) == count, what="the operations")


async def _until_gone(server: Sockets) -> None:
    await wait_until(lambda: server.capacity.total == 0, what="the socket's end")
