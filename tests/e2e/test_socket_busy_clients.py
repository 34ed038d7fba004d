"""Clients may change subscriptions often; a flood is slowed down and then closes the socket."""

import orjson

from subscriptions.sockets.limits import Limits
from tests.support.sockets import Client, FakeSubscription, Sockets, completed, shown, sockets, subscription
from tests.support.waiting import wait_until


def send_in_one_segment(client: Client, *messages: dict[str, object]) -> None:
    """Send the messages in one TCP segment, as a browser does after being busy."""
    for message in messages:
        client.connection.protocol.send_text(orjson.dumps(message))
    client.connection.transport.write(b"".join(client.connection.protocol.data_to_send()))


async def check_running(server: Sockets, client: Client, id_: str) -> None:
    """Check that the subscription with this id runs and that only its value is received."""

    def running() -> list[FakeSubscription]:
        return [one for one in server.runner.open if id_ in one.document.split()]

    await wait_until(running, what=f"subscription {id_}")
    running()[-1].show(1)
    assert await client.receive() == shown(id_, 1)


async def test_completed_operations_do_not_count_toward_the_limit() -> None:
    async with sockets() as server, server.signed_in() as client:
        messages = [message for n in range(50) for message in (subscription(f"{n}"), completed(f"{n}"))]
        send_in_one_segment(client, *messages, subscription("last", "subscription last"))
        await check_running(server, client, "last")
        assert len(server.runner.open) == 1


async def test_reading_pauses_while_completed_operations_still_run() -> None:
    async with sockets(Limits(operations_per_socket=2)) as server, server.signed_in() as client:
        server.runner.gate.clear()
        sent = []
        for id_ in ("a", "b"):
            sent.append(id_)
            await client.send(subscription(id_, "mutation"))
            await wait_until(lambda: len(server.runner.requests) == len(sent))
            await client.send(completed(id_))
        await client.send(subscription("c", "query"))
        await client.connection.ping()
        assert len(server.runner.requests) == 2
        server.runner.gate.set()
        assert [(await client.receive())["type"] for _ in range(2)] == ["next", "complete"]
        assert (server.runner.finished, len(server.runner.requests)) == (3, 3)


async def test_message_sent_before_the_socket_closed_is_processed() -> None:
    async with sockets() as server:
        async with server.signed_in() as client:
            await client.send(subscription("a", "mutation"))
        await wait_until(lambda: server.runner.finished == 1)


async def test_page_that_often_changes_a_variable_is_served() -> None:
    """The page completes each subscription and starts the next one, a hundred times."""
    async with sockets() as server, server.signed_in() as client:
        for n in range(100):
            await client.send(subscription(f"{n}"), completed(f"{n}"))
        await client.subscribe("last", "subscription last")
        await check_running(server, client, "last")


async def test_flood_closes_the_socket() -> None:
    limits = Limits(messages_per_s=0.001, messages_burst=2, slowed_s=0.05)
    async with sockets(limits) as server, server.signed_in() as client:
        pings: list[dict[str, object]] = [{"type": "pong"}] * 2_000
        send_in_one_segment(client, *pings)
        assert await client.closed() == (4429, "Too many messages; send fewer per second")
