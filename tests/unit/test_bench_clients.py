"""Clients retry unanswered requests, record each answer once, and report lost sockets as such."""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import aclosing
from typing import Any

import httpx2
import orjson
import pytest

from bench.clients.catalog import SaleConcert
from bench.clients.http_client import Client, Denied, JsonObject, Server
from bench.clients.ledger import Ledger, Receipt, Step, TicketLine, percentile
from bench.clients.observations import Observations, RoomObservation
from bench.clients.queue_client import EntryView, QueueClient
from bench.clients.subscription import SocketLost, SocketRefused, subscribed
from tests.support.fake_ws_server import run_fake_server
from tests.support.waiting import wait_until

SUCCESS = {"data": {"holdTickets": {"__typename": "HoldTicketsSuccess", "hold": {"id": "h"}}}}
STORE_UNAVAILABLE = {"data": {"holdTickets": {"code": "TEMPORARILY_UNAVAILABLE", "message": "m", "retryable": True}}}
SOLD_OUT = {"data": {"holdTickets": {"code": "SOLD_OUT", "message": "m", "retryable": False}}}

Answer = Mapping[str, object] | Exception | int


def errors(code: str, **extensions: object) -> list[dict[str, object]]:
    return [{"message": "m", "extensions": {"code": code, **extensions}}]


def serve(answers: list[Answer], requests: list[httpx2.Request]) -> Callable[[httpx2.Request], httpx2.Response]:
    def answer(request: httpx2.Request) -> httpx2.Response:
        requests.append(request)
        next_answer = answers.pop(0)
        if isinstance(next_answer, Exception):
            raise next_answer
        if isinstance(next_answer, int):
            return httpx2.Response(next_answer)
        return httpx2.Response(200, content=orjson.dumps(next_answer))

    return answer


async def ask(*answers: Answer) -> tuple[object, list[httpx2.Request], Ledger]:
    requests: list[httpx2.Request] = []
    ledger = Ledger()
    transport = httpx2.MockTransport(serve(list(answers), requests))
    servers = [Server(url, transport) for url in ("http://one.test", "http://two.test")]
    answer = await Client(servers, ledger).ask(Step.HOLD, "document", {"input": {"key": "k"}}, "token")
    for server in servers:
        await server.aclose()
    return answer, requests, ledger


@pytest.mark.parametrize(
    ("failure", "reason"),
    [
        (httpx2.ConnectError("refused"), "connection lost"),
        (httpx2.ReadTimeout("slow"), "no answer in time"),
        (503, "HTTP 503"),
        (STORE_UNAVAILABLE, "TEMPORARILY_UNAVAILABLE"),
        ({"data": None, "errors": errors("UNAVAILABLE")}, "UNAVAILABLE"),
        ({"data": None, "errors": errors("RATE_LIMITED", retryAfterSeconds=0)}, "RATE_LIMITED"),
    ],
)
async def test_unanswered_request_is_retried_unchanged_on_another_server(failure: Answer, reason: str) -> None:
    answer, (first, second), ledger = await ask(failure, SUCCESS)
    assert answer == SUCCESS["data"]["holdTickets"]
    assert first.content == second.content
    assert first.headers["authorization"] == second.headers["authorization"] == "Bearer token"
    assert {first.url.host, second.url.host} == {"one.test", "two.test"}
    assert (ledger.retried, len(ledger.answered_ms[Step.HOLD])) == ({(Step.HOLD, reason): 1}, 1)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (SOLD_OUT, SOLD_OUT["data"]["holdTickets"]),
        ({"data": None, "errors": errors("INTERNAL")}, Denied("INTERNAL", "m")),
        ({"data": {"concert": None}}, Denied("NOTHING", "the field is null")),
    ],
)
async def test_refusals_and_errors_count_as_answers(answer: Answer, expected: object) -> None:
    actual, requests, ledger = await ask(answer)
    assert (actual, len(requests), ledger.retried.total()) == (expected, 1, 0)


@pytest.mark.parametrize(
    ("share", "expected"), [(0.0, 1), (0.01, 1), (0.011, 2), (0.5, 50), (0.99, 99), (0.991, 100), (1.0, 100)]
)
def test_percentile_uses_the_nearest_rank(share: float, expected: float) -> None:
    assert percentile(range(100, 0, -1), share) == expected


def test_order_received_twice_counts_once_and_must_not_change() -> None:
    ledger = Ledger()
    for total_minor in (100, 100, 99):
        ledger.record_order(Receipt("a", "buyer1", "e", (TicketLine("tier", 2),), total_minor))
    assert ledger.sold_units == 2
    assert [text.partition(" as ")[0] for text in ledger.surprises] == ["order a was answered"]


async def read_values(url: str) -> list[dict[str, Any]]:
    async with subscribed(url, "token", "document", {"id": "c"}) as subscription:
        return [value async for value in subscription]


def pushed(value: object) -> dict[str, Any]:
    return {"id": "1", "type": "next", "payload": {"data": {"queuePosition": value}}}


async def test_subscription_yields_each_value_and_answers_pings() -> None:
    script = (pushed({"number": 1}), {"type": "ping"}, pushed({"number": 2}), {"id": "1", "type": "complete"})
    async with run_fake_server(*script) as (server, url):
        assert await read_values(url) == [{"number": 1}, {"number": 2}]
    assert server.received == [
        {"type": "connection_init", "payload": {"Authorization": "Bearer token"}},
        {"id": "1", "type": "subscribe", "payload": {"query": "document", "variables": {"id": "c"}}},
        {"type": "pong"},
    ]


@pytest.mark.parametrize(
    ("step", "fault"),
    [
        *((code, SocketLost) for code in (1001, 1012, 1013, 4403, 4408)),
        *((code, SocketRefused) for code in (1002, 1011, 4400, 4401, 4406, 4409, 4429, 4500)),
        ({"id": "1", "type": "error", "payload": errors("UNAVAILABLE")}, SocketLost),
        ({"id": "1", "type": "error", "payload": errors("UNAUTHENTICATED")}, SocketRefused),
        ({"id": "1", "type": "next", "payload": {"data": None, "errors": errors("UNAVAILABLE")}}, SocketLost),
        ({"id": "1", "type": "next", "payload": {"data": None, "errors": errors("INTERNAL")}}, SocketRefused),
        ({"id": "1", "type": "next", "payload": {"data": None}}, SocketRefused),
        ({"type": "connection_ack"}, SocketRefused),
    ],
)
async def test_closed_socket_is_reported_as_lost_or_refused(step: dict[str, Any] | int, fault: type[Exception]) -> None:
    async with run_fake_server(step) as (_, url):
        with pytest.raises(fault):
            await read_values(url)


class FakeClient(Client):
    """Returns prepared answers in order."""

    def __init__(self, *answers: JsonObject | Denied) -> None:
        super().__init__((), Ledger())
        self.answers = list(answers)

    async def ask(
        self, step: Step, document: str, variables: Mapping[str, object], token: str | None
    ) -> JsonObject | Denied:
        return self.answers.pop(0)


def queue_client(*answers: JsonObject | Denied, urls: tuple[str, ...] = ()) -> QueueClient:
    return QueueClient(FakeClient(*answers), Ledger(), SaleConcert("c", ()), urls=urls, observations=Observations())


def position(version: int, state: str, rank: int | None, number: int | None = 7) -> dict[str, Any]:
    queue = {"epoch": 1, "servingNumber": 4, "waitingCount": 9}
    return pushed(queue | {"version": version, "state": state, "number": number, "position": rank})


async def test_new_socket_replaces_a_lost_one_and_starts_new_observations() -> None:
    async with (
        run_fake_server(position(10, "WAITING", 3), 1012) as (_, first),
        run_fake_server(position(12, "READY", 0)) as (_, second),
    ):
        client = queue_client(urls=(first, second))
        async with aclosing(client.positions("ada", token="token", drops_after_s=())) as positions:
            last = [entry async for entry in positions_until_called(positions)][-1]
    sockets = client.observations.sockets
    assert last == EntryView(7, "READY", 0)
    assert [observation.at for observation in sockets[-1].observations] == [(1, 12)]
    assert client.ledger.queue.sockets == len(sockets) == client.ledger.queue.lost_sockets.total() + 1
    assert (client.ledger.queue.called, client.ledger.surprises) == ({7}, [])


async def positions_until_called(positions: Any) -> Any:
    async for entry in positions:
        yield entry
        if not entry.is_waiting:
            return


async def test_push_without_a_number_is_reported_as_a_surprise() -> None:
    async with run_fake_server(position(10, "WAITING", None, number=None)) as (_, url):
        client = queue_client(urls=(url,))
        reading = asyncio.ensure_future(anext(client.positions("ada", token="token", drops_after_s=())))
        await wait_until(lambda: client.ledger.surprises)
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
    assert "a person in the queue received" in client.ledger.surprises[0]


async def test_polled_entry_is_recorded_with_the_latest_room_version() -> None:
    room = {"epoch": 1, "version": 20, "servingNumber": 4, "waitingCount": 9, "slotsTaken": 2}
    client = queue_client(room, {"number": 7, "state": "WAITING", "position": 3})
    await client.read_room()
    assert await client.read_entry(token="token") == EntryView(7, "WAITING", 3)
    assert client.observations.rooms == [RoomObservation((1, 20), 4, 9, 2)]
    assert client.observations.still_waiting == {7: (1, 20)}
