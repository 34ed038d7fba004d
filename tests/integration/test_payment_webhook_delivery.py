"""Payment webhooks over real sockets into a real inbox: large, concurrent, and during an outage."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import httpx2
import pytest

from storage.connect import Stores
from storage.keys import PAYMENT_EVENTS_CHANNEL
from subscriptions.feed import GAP, Feed
from tests.support.fake_webhooks import MAX_BYTES, WebhookEndpoint, provider_event
from tests.support.mongo_failures import failing
from tests.support.payment_events import NOW, inbox_event, payment_fact
from tests.support.serving import serving
from tests.support.waiting import wait_until
from web.payment_webhooks import PATH


@dataclass(frozen=True)
class Delivery:
    endpoint: WebhookEndpoint
    client: httpx2.AsyncClient
    stores: Stores

    async def post(self, content: bytes | AsyncIterator[bytes]) -> httpx2.Response:
        return await self.client.post(PATH, content=content)

    async def recorded(self) -> list[str]:
        claim = await self.stores.payment_inbox.claim(now=NOW + timedelta(days=1), limit=100)
        return sorted(event.id for event in claim.events)


@asynccontextmanager
async def delivering(stores: Stores, *ids: str, **changes: Any) -> AsyncIterator[Delivery]:
    events = [provider_event(id_, **changes) for id_ in ids]
    endpoint = WebhookEndpoint(*events, inbox=stores.payment_inbox)
    async with serving(lambda _: endpoint) as base, httpx2.AsyncClient(base_url=base, timeout=60) as client:
        yield Delivery(endpoint, client, stores)


async def chunks() -> AsyncIterator[bytes]:
    for _ in range(1024):
        yield b"x" * 1024


@pytest.mark.parametrize("is_chunked", [True, False])
async def test_body_of_a_megabyte_gets_413_on_a_socket(stores: Stores, is_chunked: bool) -> None:
    async with delivering(stores) as delivery:
        answer = await delivery.post(chunks() if is_chunked else b"x" * 1024**2)
        assert (answer.status_code, answer.json()["error"]) == (413, "too_large")
        assert delivery.endpoint.provider.read == []
        assert (await delivery.post(b"x" * MAX_BYTES)).status_code == 400
        assert await delivery.recorded() == []


async def test_event_delivered_three_times_at_once_is_recorded_once(stores: Stores) -> None:
    async with delivering(stores, "evt_1") as delivery:
        answers = await asyncio.gather(*[delivery.post(b"evt_1") for _ in range(3)])
        assert [answer.status_code for answer in answers] == [200, 200, 200]
        assert sorted(answer.json()["outcome"] for answer in answers) == ["duplicate", "duplicate", "recorded"]
        assert await delivery.recorded() == ["evt_1"]


@pytest.mark.parametrize("changes", [{"intent_id": "pi_\ud800"}, {"facts": (payment_fact(amount_minor=2**64),)}])
async def test_event_that_cannot_be_stored_is_refused(stores: Stores, changes: dict[str, Any]) -> None:
    async with delivering(stores, "evt_1", **changes) as delivery:
        answer = await delivery.post(b"evt_1")
        assert (answer.status_code, answer.json()["error"]) == (400, "malformed")
        assert await delivery.recorded() == []


async def test_event_is_recorded_when_it_is_sent_again_after_an_outage(stores: Stores, mongo_url: str) -> None:
    async with delivering(stores, "evt_1") as delivery:
        async with failing(mongo_url, 2, errorCode=189):
            answer = await delivery.post(b"evt_1")
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
        assert await delivery.recorded() == []
        assert (await delivery.post(b"evt_1")).json() == {"outcome": "recorded"}
        assert await stores.payment_inbox.get("evt_1") == inbox_event()


async def test_new_events_wake_the_workers(stores: Stores, valkey_url: str) -> None:
    hints = list[str]()
    feed = Feed(valkey_url)
    await feed.start()
    feed.listen(PAYMENT_EVENTS_CHANNEL, hints.append)
    async with delivering(stores, "evt_1") as delivery:
        await wait_until(lambda: hints.count(GAP) >= 2, what="the subscription")
        await delivery.post(b"evt_1")
        await wait_until(lambda: "" in hints, what="the hint")
        await delivery.post(b"evt_1")
    assert hints.count("") == 1
    await feed.aclose()
