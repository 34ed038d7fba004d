"""A request is traced on both paths of HTTP and on a socket, down to the calls of scripts."""

import io
import json
import logging
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from schema.ids import concert_argument
from tests.support.shop import HOLD, PURCHASE, Shop, lines, new_key
from tests.support.shop_socket import open_client
from tests.support.switches import is_on
from tests.support.traces import (
    CLIENT_SPAN,
    CLIENT_TRACE,
    NOT_SAMPLED,
    PIPELINE,
    TRACEPARENT,
    Collector,
    running_collector,
    tracing_to,
)
from web.fast_path.answers import Answer, FastPath
from web.fast_path.request_heads import RequestHead
from web.logs import JsonFormatter

pytestmark = pytest.mark.asyncio(loop_scope="module")

NAMED_HOLD = HOLD.replace("mutation (", "mutation Reserve(", 1)
NAMED_PURCHASE = PURCHASE.replace("mutation (", "mutation Buy(", 1)


@pytest_asyncio.fixture(loop_scope="module")
async def collector() -> AsyncIterator[Collector]:
    async with running_collector() as made:
        yield made


async def hold(shop: Shop, concert_id: str, tier_id: str, quantity: int, **headers: str) -> object:
    """Send a hold, and return its answer."""
    input_ = {
        "concertId": concert_id,
        "lines": [{"tierId": tier_id, "quantity": quantity}],
        "idempotencyKey": new_key(),
    }
    body = {"query": NAMED_HOLD, "variables": {"input": input_}}
    answer = await shop.client.post("/graphql", json=body, headers=shop.headers("alice") | headers)
    return answer.json()


@pytest.mark.parametrize("quantity", [2, 1_000], ids=["held", "refused"])
async def test_both_paths_of_http_give_equal_spans(
    shop: Shop, collector: Collector, quantity: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    concert = await shop.on_sale()
    kinds, fast, answer = [], list[RequestHead](), FastPath.answer

    async def counted(self: FastPath, head: RequestHead, *rest: Any) -> Answer:
        fast.append(head)
        return await answer(self, head, *rest)

    # The first hold of a person may do more than later ones.
    await hold(shop, concert.id, concert.tiers[0], quantity)
    monkeypatch.setattr(FastPath, "answer", counted)
    # A request with a cookie takes the ordinary path.
    for headers in ({}, {"Cookie": "theme=dark"}):
        async with tracing_to(collector.url):
            await hold(shop, concert.id, concert.tiers[0], quantity, traceparent=TRACEPARENT, **headers)
        kinds.append(sorted(span.comparable for span in collector.spans))
        assert {span.trace_id for span in collector.spans} == {CLIENT_TRACE}
        assert collector.named("POST /graphql").parent_id == CLIENT_SPAN
        collector.spans.clear()
    assert kinds[0] == kinds[1]
    assert len(fast) == is_on("HTTP_FAST_PATH")


async def test_hold_has_spans_of_request_operation_and_script(shop: Shop, collector: Collector) -> None:
    concert = await shop.on_sale()
    async with tracing_to(collector.url, OTEL_SERVICE_NAME="onsale-test"):
        await hold(shop, concert.id, concert.tiers[0], 2)
    script = collector.named("redis hold_tickets")
    assert collector.path(script) == ["POST /graphql", "mutation", "redis hold_tickets"]
    pipeline_calls = script.attributes.pop(PIPELINE)
    assert isinstance(pipeline_calls, int)
    assert pipeline_calls >= 1
    assert script.attributes == {
        "db.system.name": "redis",
        "onsale.script": "hold_tickets",
        "onsale.reply": "HOLD",
        "onsale.concert_id": concert_argument(concert.id),
    }
    assert collector.named("mutation").attributes == {
        "graphql.operation.type": "mutation",
        "graphql.operation.name": "Reserve",
        "onsale.result": "ok",
    }
    request = collector.named("POST /graphql")
    assert request.attributes == {
        "http.request.method": "POST",
        "url.path": "/graphql",
        "http.response.status_code": 200,
    }
    assert (request.kind, script.kind, request.parent_id) == ("SERVER", "CLIENT", "")
    assert {span.service for span in collector.spans} == {"onsale-test"}


@pytest.mark.parametrize("sent", [TRACEPARENT, "malformed", 7])
async def test_operation_of_a_socket_takes_the_trace_in_its_extensions(
    shop: Shop, collector: Collector, sent: object
) -> None:
    concert = await shop.on_sale()
    document = "subscription Watch($id: ID!) { stockChanged(concertId: $id) { version } }"
    payload = {"query": document, "variables": {"id": concert.id}, "extensions": {"traceparent": sent}}
    async with open_client(shop) as client, tracing_to(collector.url):
        await client.send({"type": "subscribe", "id": "1", "payload": payload})
        assert (await client.receive())["type"] == "next"
    operation = collector.named("subscription")
    assert collector.path(operation) == ["subscribe", "subscription"]
    assert operation.attributes["onsale.result"] == "ok"
    assert (operation.trace_id == CLIENT_TRACE) == (sent == TRACEPARENT)


async def test_refusal_is_named_and_is_no_fault(shop: Shop, collector: Collector) -> None:
    concert = await shop.on_sale()
    async with tracing_to(collector.url):
        await hold(shop, concert.id, concert.tiers[0], 1_000)
        await shop.ask("{ unknown }", by="alice")
    refused, rejected = (span for span in collector.spans if "onsale.result" in span.attributes)
    assert (refused.attributes["onsale.result"], refused.attributes["onsale.codes"]) == ("refused", ["LIMIT_EXCEEDED"])
    assert rejected.attributes["onsale.result"] == "rejected"
    assert rejected.attributes["onsale.codes"] == ["BAD_USER_INPUT"]
    assert not any(span.is_failed for span in collector.spans)


@pytest.mark.parametrize(
    "sent",
    ["", "00-0-0-01", TRACEPARENT.replace("00-", "ff-", 1), f"00-{'0' * 32}-{CLIENT_SPAN}-01", "x" * 2_000, "é"],
    ids=["empty", "short", "version", "zero", "long", "not ASCII"],
)
async def test_malformed_traceparent_is_ignored(shop: Shop, collector: Collector, sent: str) -> None:
    headers = {**shop.headers("alice"), "traceparent": sent}
    async with tracing_to(collector.url):
        raw = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
        answer = await shop.client.post("/graphql", json={"query": "{ serverTime }"}, headers=raw)
        assert "data" in answer.json()
    request = collector.named("POST /graphql")
    assert request.parent_id == ""
    assert request.trace_id != CLIENT_TRACE


async def test_decision_of_the_client_not_to_sample_is_honored(shop: Shop, collector: Collector) -> None:
    concert = await shop.on_sale()
    async with tracing_to(collector.url):
        await hold(shop, concert.id, concert.tiers[0], 2, traceparent=NOT_SAMPLED)
    assert collector.spans == []


async def test_spans_contain_no_personal_data(shop: Shop, collector: Collector) -> None:
    concert = await shop.on_sale()
    key = new_key()
    input_ = {
        "concertId": concert.id,
        "lines": lines(concert, 1),
        "customerName": "Zaphod",
        "customerEmail": "zaphod@onsale.example",
        "idempotencyKey": key,
    }
    async with tracing_to(collector.url):
        answer = await shop.ask(NAMED_PURCHASE, by="alice", input=input_)
    assert answer["data"]["purchaseTickets"]["__typename"] == "PurchaseTicketsSuccess"
    assert len(collector.spans) > 3
    person = (await shop.fields("{ me { id } }", by="alice"))["me"]["id"]
    for secret in ("Zaphod", "zaphod", key, person, shop.token("alice")):
        assert secret not in str(collector.spans)


async def test_json_lines_of_a_request_have_its_trace(shop: Shop, collector: Collector) -> None:
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    handler.setFormatter(JsonFormatter())
    access = logging.getLogger("web.access")
    level = access.level
    access.addHandler(handler)
    access.setLevel(logging.INFO)
    try:
        async with tracing_to(collector.url):
            await hold(shop, "x", "y", 1, traceparent=TRACEPARENT, **{"X-Request-Id": "r-1"})
        await hold(shop, "x", "y", 1, traceparent=TRACEPARENT, **{"X-Request-Id": "r-2"})
    finally:
        access.removeHandler(handler)
        access.setLevel(level)
    # The same server also answers requests for the issuer's keys.
    found = [line for line in map(json.loads, written.getvalue().splitlines()) if line["path"] == "/graphql"]
    assert [(line["request_id"], line.get("trace_id")) for line in found] == [("r-1", CLIENT_TRACE), ("r-2", None)]
