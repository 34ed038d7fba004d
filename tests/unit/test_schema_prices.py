"""Pushed payloads contain the prices of the stock that they show."""

from dataclasses import replace
from typing import Any

import orjson

from auth.viewer import Viewer
from domain.money import CurrencyCode
from domain.queues import EntryState
from domain.stock import Stock
from domain.topics import QueueSnapshot, Snapshot, StockSnapshot
from schema import Operation, OperationResult, ids, start
from tests.support.sale import viewer
from tests.support.snapshots import CONCERT, ROOM, SALE, STOCK, TIER, FakeStores, entry

PRICES = """{
  tiers { tierId price { amount minor currency } }
  priceRange { lowest { amount minor currency } highest { amount minor currency } }
}"""
STOCK_CHANGED = f"subscription ($id: ID!) {{ shown: stockChanged(concertId: $id) {PRICES} }}"
QUEUE_POSITION = f"subscription ($id: ID!) {{ shown: queuePosition(concertId: $id) {{ stock {PRICES} }} }}"


async def shown(document: str, snapshot: Snapshot, by: Viewer | None = None) -> Any:
    started = await start(Operation(document, {"id": ids.of_concert(CONCERT.id)}, None), FakeStores().context(by))
    assert not isinstance(started, OperationResult), started.payload
    answer = orjson.loads((await started.render(snapshot)).payload)
    assert list(answer) == ["data"], answer
    return answer["data"]["shown"]


def priced(stock: Stock, price_minor: int, currency: CurrencyCode) -> StockSnapshot:
    tiers = tuple(replace(tier, price_minor=price_minor) for tier in stock.tiers)
    return StockSnapshot(replace(stock, tiers=tiers, currency=currency), ROOM)


async def test_stock_payload_has_the_price_of_each_tier_and_their_range() -> None:
    price = {"amount": "49.50", "minor": 4_950, "currency": "EUR"}
    expected = {
        "tiers": [{"tierId": ids.of_tier(TIER), "price": price}],
        "priceRange": {"lowest": price, "highest": price},
    }
    assert await shown(STOCK_CHANGED, SALE) == expected
    position = await shown(QUEUE_POSITION, QueueSnapshot(entry(EntryState.WAITING, 2), ROOM, STOCK), viewer("alice"))
    assert position == {"stock": expected}


async def test_price_has_the_decimal_places_of_its_currency() -> None:
    found = await shown(STOCK_CHANGED, priced(STOCK, 4_950, CurrencyCode.JPY))
    assert found["tiers"][0]["price"] == {"amount": "4950", "minor": 4_950, "currency": "JPY"}
    found = await shown(STOCK_CHANGED, priced(STOCK, 4_950, CurrencyCode.KWD))
    assert found["priceRange"]["lowest"] == {"amount": "4.950", "minor": 4_950, "currency": "KWD"}


async def test_sold_out_stock_has_prices_but_no_range() -> None:
    sold = replace(STOCK, tiers=tuple(replace(tier, held=0, sold=tier.capacity) for tier in STOCK.tiers))
    found = await shown(STOCK_CHANGED, StockSnapshot(sold, ROOM))
    assert (found["tiers"][0]["price"]["minor"], found["priceRange"]) == (4_950, None)
