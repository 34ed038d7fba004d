"""The twenty cases of payment, part five: what a webhook and an order cost.

Speed depends on the machine, so these tests count commands, and the benchmarks measure.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import httpx2
import orjson
import pytest
import pytest_asyncio

from domain.ids import ConcertId, OrderId
from payments.provider import OrderReference
from payments.providers import open_provider
from settings import PaymentSettings
from storage.connect import Stores
from storage.embedded.process import ServerProcess
from tests.support.databases import DatabasePool
from tests.support.mongo_commands import MongoCommands, SentCommand, recorded_commands
from tests.support.sandbox_shop import open_sandbox_shop, webhook_route_of
from tests.support.script_calls import recorded_calls
from tests.support.serving import serving
from tests.support.signed_webhooks import SECRET, sign
from tests.support.store_servers import borrowed_stores
from web.payment_webhooks import PATH

pytestmark = pytest.mark.asyncio(loop_scope="module")

INSERT = SentCommand("insert", "payment_events", "majority")
STORM = 300
BUYERS = 12
MOST_WRITES = 4
"""The insert of the order, its intent, the event in the inbox, and the payment."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stores_and_commands(
    shared_valkey: ServerProcess, databases: DatabasePool
) -> AsyncIterator[tuple[Stores, MongoCommands]]:
    with recorded_commands() as commands:
        async with borrowed_stores(shared_valkey.url, databases) as stores:
            yield stores, commands


async def test_case_20_webhook_in_a_storm_is_only_verified_and_inserted(
    stores_and_commands: tuple[Stores, MongoCommands],
) -> None:
    stores, commands = stores_and_commands
    installation = await stores.installation.id()
    # No provider listens at this address, so a call to it would fail the request.
    provider = open_provider(PaymentSettings(webhook_secrets=(SECRET,), url="http://127.0.0.1:9"))
    route = webhook_route_of(provider, stores)
    limits = httpx2.Limits(max_connections=50)
    async with serving(lambda _: route) as base, httpx2.AsyncClient(base_url=base, limits=limits, timeout=60) as client:

        async def post(number: int) -> str:
            body = payment_event(number, installation)
            answer = await client.post(PATH, content=body, headers=sign(body, datetime.now(UTC)))
            assert answer.status_code == 200, answer.text
            outcome: str = answer.json()["outcome"]
            return outcome

        with recorded_calls(stores) as scripts:
            commands.sent.clear()
            assert await post(0) == "recorded"
            assert commands.sent == [INSERT]
            assert Counter(await asyncio.gather(*[post(number) for number in range(STORM)])) == {
                "recorded": STORM - 1,
                "duplicate": 1,
            }
    assert set(commands.sent) == {INSERT}
    # Webhooks that arrive together share an insert.
    assert len(commands.sent) < STORM
    assert scripts.round_trips == []
    assert await stores.payment_inbox.collection.count_documents({"state": "NEW"}) == STORM
    await stores.payment_inbox.collection.delete_many({})
    await provider.aclose()


async def test_order_costs_four_majority_writes_and_shares_them(
    stores_and_commands: tuple[Stores, MongoCommands], shared_valkey: ServerProcess, tmp_path: Path
) -> None:
    stores, commands = stores_and_commands
    async with open_sandbox_shop(stores, shared_valkey.url, tmp_path) as site:
        concert = await site.on_sale()
        # A process writes the id of its installation once.
        await stores.installation.id()
        commands.sent.clear()
        await site.buy_paid(concert, 1)
        written = Counter((sent.name, sent.collection) for sent in commands.majority_writes())
        assert written == {("insert", "orders"): 1, ("update", "orders"): 2, ("insert", "payment_events"): 1}
        commands.sent.clear()
        await asyncio.gather(*[site.buy_paid(concert, 1, by=f"p{number}") for number in range(BUYERS)])
        assert await site.shop.stock(concert) == [(99 - BUYERS, 0, 1 + BUYERS), (2, 0, 0)]
        # Orders that arrive together share their writes.
        assert len(commands.majority_writes()) < BUYERS * MOST_WRITES


def payment_event(number: int, installation: str) -> bytes:
    """Return an event about a payment of an order that has not been inserted yet."""
    reference = OrderReference(OrderId(f"{number:032x}"), ConcertId("abcdefghjkmn"), installation)
    intent = {
        "id": f"pi_{number}",
        "object": "payment_intent",
        "status": "succeeded",
        "amount": 4_950,
        "amount_received": 4_950,
        "currency": "eur",
        "created": 1_790_000_000,
        "metadata": {
            "onsale_order": reference.order_id,
            "onsale_concert": reference.concert_id,
            "onsale_installation": reference.installation,
            "onsale_attempt": "1",
        },
    }
    event = {"id": f"evt_{number}", "object": "event", "type": "payment_intent.succeeded", "livemode": False}
    return orjson.dumps({**event, "created": 1_790_000_000, "data": {"object": intent}})
