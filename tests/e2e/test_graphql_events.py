"""`/graphql` as an event stream: subscriptions, queries and mutations, by POST and by GET."""

import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from types import SimpleNamespace

import orjson
import pytest

from subscriptions import sse
from subscriptions.sockets.limits import Limits
from tests.support.events import Events, events
from tests.support.shop import HOLD, Shop, shop_on
from tests.support.shop_mutations import hold_input
from tests.support.waiting import wait_until

pytestmark = pytest.mark.asyncio(loop_scope="module")

STOCK = "subscription ($id: ID!) { stockChanged(concertId: $id) { tiers { available held } } }"
ACCEPT = {"Accept": "text/event-stream"}
COMPLETE = ("complete", None)


def post(
    shop: Shop, document: str, *, by: str | None = None, accept: str = "text/event-stream", **variables: object
) -> AbstractAsyncContextManager[Events]:
    body = {"query": document, "variables": variables}
    return events(shop.client, "POST", "/graphql", json=body, headers=shop.headers(by) | {"Accept": accept})


def get(shop: Shop, document: str, **variables: object) -> AbstractAsyncContextManager[Events]:
    query = {"query": document, "variables": orjson.dumps(variables).decode()}
    return events(shop.client, "GET", "/graphql", params=query, headers=ACCEPT)


def stock(first: tuple[int, int]) -> tuple[str, object]:
    tiers = [{"available": available, "held": held} for available, held in (first, (2, 0))]
    return "next", {"data": {"stockChanged": {"tiers": tiers}}}


@pytest.mark.parametrize("open_stream", [post, get])
async def test_stream_sends_the_stock_and_each_change(
    shop: Shop, open_stream: Callable[..., AbstractAsyncContextManager[Events]]
) -> None:
    concert = await shop.on_sale()
    async with open_stream(shop, STOCK, id=concert.id) as stream:
        assert stream.response.headers["content-type"] == "text/event-stream; charset=utf-8"
        assert await stream.receive() == stock((100, 0))
        await shop.hold(concert, 3)
        assert await stream.receive() == stock((97, 3))


async def test_mutation_is_answered_with_a_next_and_a_complete_event(shop: Shop) -> None:
    concert = await shop.on_sale()
    async with post(shop, HOLD, by="alice", input=hold_input(concert, 2)) as stream:
        (name, result), end = await stream.rest()
    assert (name, end) == ("next", COMPLETE)
    assert result["data"]["holdTickets"]["__typename"] == "HoldTicketsSuccess"


async def test_mutation_by_get_is_refused_and_changes_nothing(shop: Shop) -> None:
    concert = await shop.on_sale()
    query = {"query": HOLD, "variables": orjson.dumps({"input": hold_input(concert, 2)}).decode()}
    answer = await shop.client.get("/graphql", params=query, headers=ACCEPT | shop.headers("alice"))
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
    assert (await shop.stock(concert))[0] == (100, 0, 0)


@pytest.mark.parametrize(
    ("document", "code"),
    [
        ("{", "BAD_USER_INPUT"),
        ("subscription { nothing }", "BAD_USER_INPUT"),
        ('subscription { stockChanged(concertId: "x") { version } }', "BAD_USER_INPUT"),
        ('subscription { queuePosition(concertId: "x") { position } }', "UNAUTHENTICATED"),
    ],
)
async def test_refused_operation_is_answered_with_a_next_event_with_errors(
    shop: Shop, document: str, code: str
) -> None:
    async with post(shop, document) as stream:
        assert stream.response.status_code == 200
        (name, result), end = await stream.rest()
    assert (name, end) == ("next", COMPLETE)
    assert [error["extensions"]["code"] for error in result["errors"]] == [code]
    assert result["errors"][0]["extensions"]["requestId"] == stream.response.headers["x-request-id"]


async def test_bad_token_gets_401_and_opens_no_stream(shop: Shop) -> None:
    headers = ACCEPT | {"Authorization": "Bearer nonsense"}
    answer = await shop.client.post("/graphql", json={"query": "{ serverTime }"}, headers=headers)
    assert (answer.status_code, answer.headers["content-type"]) == (401, "application/json; charset=utf-8")


async def test_stream_above_the_limit_gets_a_retryable_503(shop: Shop) -> None:
    concert = await shop.on_sale()
    async with shop_on(shop.stores, shop.redis_url, limits=Limits(streams=1)) as small:
        async with post(small, STOCK, id=concert.id) as stream:
            assert await stream.receive() == stock((100, 0))
            answer = await small.client.post("/graphql", json={"query": "{ serverTime }"}, headers=ACCEPT)
            assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
            [error] = answer.json()["errors"]
            assert error["extensions"]["code"] == "UNAVAILABLE"
            assert error["message"].startswith("This server is full; repeat the same request in 5 s")
            assert (await small.ask("{ serverTime }"))["data"]
        await wait_until(lambda: _is_served(small), what="the end of the first stream")


async def _is_served(shop: Shop) -> bool:
    answer = await shop.client.post("/graphql", json={"query": "{ serverTime }"}, headers=ACCEPT)
    return answer.status_code == 200


async def test_stream_ends_when_its_token_expires(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    concert = await shop.on_sale()
    expires_at = int(time.time()) + 900
    headers = ACCEPT | {"Authorization": f"Bearer {shop.token('alice', exp=expires_at)}"}
    monkeypatch.setattr(sse, "time", SimpleNamespace(time=lambda: expires_at))
    body = {"query": STOCK, "variables": {"id": concert.id}}
    async with events(shop.client, "POST", "/graphql", json=body, headers=headers) as stream:
        *_, (name, result), end = await stream.rest()
    assert (name, result["errors"][0]["extensions"]["code"], end) == ("next", "UNAUTHENTICATED", COMPLETE)


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        ("text/event-stream", "text/event-stream"),
        ("text/event-stream, application/json;q=0.5", "text/event-stream"),
        ("application/json, text/event-stream", "application/json"),
        ("text/*", "text/event-stream"),
        ("*/*", "application/json"),
    ],
)
async def test_accept_header_decides_whether_events_are_sent(shop: Shop, accept: str, media_type: str) -> None:
    async with post(shop, "{ serverTime }", accept=accept) as stream:
        assert stream.response.headers["content-type"] == f"{media_type}; charset=utf-8"


async def test_subscription_without_a_stream_is_refused_with_advice(shop: Shop) -> None:
    answer = await shop.ask(STOCK, id=(await shop.on_sale()).id)
    assert "text/event-stream" in answer["errors"][0]["message"]
