"""The numbers of a tier, including its price, come from one read of the stock."""

from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from domain.concerts import Concert, Tier
from domain.ids import TierId
from domain.stock import Stock
from schema import Operation, execute, ids
from tests.support.snapshots import CONCERT, STOCK, TIER, FakeStores

NEW_TIER = TierId("abcdefghjkmn-2")
TWO_TIERS = replace(CONCERT, tiers=(*CONCERT.tiers, Tier(NEW_TIER, "Balcony", 9_900, capacity=5, top=5)))
CHEAPER = replace(STOCK, tiers=tuple(replace(tier, price_minor=3_900, capacity=9) for tier in STOCK.tiers))
"""The stock before the higher price and capacity in MongoDB have reached the store."""
NUMBERS = "available held sold capacity version epoch price { minor }"
OF_STOCK = {"available": 4, "held": 2, "sold": 3, "capacity": 9, "version": 7, "epoch": 1, "price": {"minor": 3_900}}
UNKNOWN = {"available": None, "held": None, "sold": None, "capacity": 5, "price": {"minor": 9_900}}


@dataclass
class StockedStores(FakeStores):
    """Stores whose stock is read by `holds`."""

    concert: Concert = field(default_factory=lambda: TWO_TIERS)
    stock: Stock = CHEAPER

    @property
    def holds(self) -> "StockedStores":
        return self

    async def read_stock(self, _concert: Concert) -> Stock:
        self.read("stock")
        return self.stock


async def ask(stores: StockedStores, selection: str) -> Any:
    known = {"$id": ids.of_concert(CONCERT.id), "$tier": ids.of_tier(TIER)}
    for name, id_ in known.items():
        selection = selection.replace(f"(id: {name})", f'(id: "{id_}")')
    answer = await execute(Operation(f"{{ {selection} }}", {}, None), stores.context(None))
    assert "errors" not in answer.payload, answer.payload
    return answer.payload["data"]


async def test_price_alone_needs_no_read_of_the_stock() -> None:
    stores = StockedStores()
    found = await ask(stores, "concert(id: $id) { tiers { price { minor } capacity } } node(id: $tier) { id }")
    assert found["concert"]["tiers"][0] == {"price": {"minor": 4_950}, "capacity": 10}
    assert stores.reads == ["concert"]


@pytest.mark.parametrize("number", ["available", "held", "sold", "version", "epoch"])
async def test_price_comes_from_the_same_read_as_the_stock_numbers(number: str) -> None:
    stores = StockedStores()
    found = await ask(stores, f"concert(id: $id) {{ tiers {{ price {{ minor }} capacity {number} }} }}")
    assert found["concert"]["tiers"][0] == {name: OF_STOCK[name] for name in ("price", "capacity", number)}
    assert stores.reads == ["concert", "stock"]


async def test_tiers_and_stock_of_an_answer_take_one_read() -> None:
    stores = StockedStores()
    found = await ask(
        stores,
        f"""concert(id: $id) {{
          tiers {{ {NUMBERS} }}
          stock {{ version epoch concert {{ id }} tiers {{ available tier {{ {NUMBERS} }} }} }}
        }}
        node(id: $tier) {{ ... on Tier {{ {NUMBERS} }} }}""",
    )
    first, second = found["concert"]["tiers"]
    assert first == found["node"] == found["concert"]["stock"]["tiers"][0]["tier"] == OF_STOCK
    assert second == {**UNKNOWN, "version": 7, "epoch": 1}
    assert found["concert"]["stock"]["concert"] == {"id": ids.of_concert(CONCERT.id)}
    assert stores.reads == ["concert", "stock"]


async def test_tier_that_the_catalog_does_not_list_yet_is_null() -> None:
    stores = StockedStores(concert=CONCERT)
    stores.stock = replace(CHEAPER, tiers=(*CHEAPER.tiers, replace(CHEAPER.tiers[0], tier_id=NEW_TIER)))
    found = await ask(stores, "concert(id: $id) { stock { tiers { tierId tier { id } } } }")
    assert found["concert"]["stock"]["tiers"] == [
        {"tierId": ids.of_tier(TIER), "tier": {"id": ids.of_tier(TIER)}},
        {"tierId": ids.of_tier(NEW_TIER), "tier": None},
    ]
