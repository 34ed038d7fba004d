"""GraphQL during a store outage: fields that need the store return retryable errors."""

import logging
import uuid
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from domain.concerts import Concert
from domain.ids import ConcertId
from domain.stock import Stock
from storage.embedded.process import ServerProcess
from storage.hot.holds import HoldStore
from storage.mongo.concerts import ConcertStore
from tests.support.sale import opened
from tests.support.shop import HOLD, PRICED, Answer, OnSale, Shop, shop_on, venue_input
from tests.support.shop_mutations import hold_input
from tests.support.waiting import wait_until

pytestmark = pytest.mark.asyncio(loop_scope="module")

CATALOG = """
query ($id: ID!, $city: String!) {
  concert(id: $id) { name tiers { name capacity available } stock { soldOut } }
  concerts(filter: {city: $city}) { nodes { name } }
  serverTime
}
"""


@pytest_asyncio.fixture(loop_scope="module")
async def shop(stoppable_valkey: ServerProcess, stoppable_mongod: ServerProcess) -> AsyncIterator[Shop]:
    async with (
        opened(stoppable_valkey.url, stoppable_mongod.url, "outages") as stores,
        shop_on(stores, stoppable_valkey.url) as made,
    ):
        yield made


async def test_catalog_is_available_without_the_stock_store(shop: Shop, stoppable_valkey: ServerProcess) -> None:
    city = f"City {uuid.uuid4()}"
    concert = await shop.on_sale(venue=venue_input(city=city))
    await stoppable_valkey.kill()
    answer = await shop.ask(CATALOG, id=concert.id, city=city)
    tiers = [
        {"name": "Standing", "capacity": 100, "available": None},
        {"name": "Balcony", "capacity": 2, "available": None},
    ]
    assert answer["data"]["concert"] == {"name": "Night of the Proms", "tiers": tiers, "stock": None}
    assert answer["data"]["concerts"] == {"nodes": [{"name": "Night of the Proms"}]}
    assert sorted(error["path"][-1] for error in answer["errors"]) == ["available", "available", "stock"]
    for error in answer["errors"]:
        assert _is_retryable(error)
    await stoppable_valkey.start()

    async def is_answered() -> bool:
        return "errors" not in await shop.ask(CATALOG, id=concert.id, city=city)

    await wait_until(is_answered, what="the stock")


async def test_hold_refused_without_the_stock_store_succeeds_later(shop: Shop, stoppable_valkey: ServerProcess) -> None:
    concert = await shop.on_sale()
    await stoppable_valkey.kill()
    refused = await _hold_once(shop, concert)
    assert (refused["__typename"], refused["retryable"]) == ("TemporarilyUnavailableError", True)
    assert refused["retryAfterSeconds"] >= 1
    assert refused["requestId"]
    await stoppable_valkey.start()

    async def is_held() -> bool:
        return "hold" in await _hold_once(shop, concert)

    await wait_until(is_held, what="the hold")
    assert await shop.stock(concert) == [(99, 1, 0), (2, 0, 0)]


async def test_purchase_refused_without_the_order_database_succeeds_later(
    shop: Shop, stoppable_mongod: ServerProcess
) -> None:
    concert = await shop.on_sale()
    hold = (await shop.hold(concert, 1))["hold"]
    await stoppable_mongod.kill()
    refused = await shop.buy({"holdId": hold["id"]}, key="once")
    assert (refused["__typename"], refused["retryable"]) == ("TemporarilyUnavailableError", True)
    answer = await shop.ask("{ concerts { nodes { id } } }")
    assert answer["data"] is None
    assert _is_retryable(answer["errors"][0])
    await stoppable_mongod.start()

    async def is_bought() -> bool:
        return "order" in await shop.buy({"holdId": hold["id"]}, key="once")

    await wait_until(is_bought, what="the order")
    assert await shop.stock(concert) == [(99, 0, 1), (2, 0, 0)]


async def test_hold_succeeds_without_the_order_database(shop: Shop, stoppable_mongod: ServerProcess) -> None:
    concert = await shop.on_sale(tiers=PRICED)
    await shop.hold(concert, 1)
    await stoppable_mongod.kill()
    answer = await shop.ask(HOLD.replace("tier { name }", ""), by="alice", input=hold_input(concert, 1))
    hold = answer["data"]["holdTickets"]["hold"]
    assert (hold["state"], hold["total"]["amount"], hold["concert"]) == ("HELD", "49.50", None)
    (error,) = answer["errors"]
    assert (error["path"][-1], _is_retryable(error)) == ("concert", True)


async def test_unexpected_error_is_masked_and_logged(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    concert = await shop.on_sale()

    async def broken(store: HoldStore, concert_id: ConcertId) -> Stock:
        raise RuntimeError("the password is swordfish")

    monkeypatch.setattr(HoldStore, "read_stock", broken)
    with caplog.at_level(logging.ERROR):
        answer = await shop.ask("query ($id: ID!) { concert(id: $id) { name stock { soldOut } } }", id=concert.id)
    assert answer["data"] == {"concert": {"name": "Night of the Proms", "stock": None}}
    (error,) = answer["errors"]
    assert (error["path"], error["extensions"]["code"]) == (["concert", "stock"], "INTERNAL")
    assert "swordfish" not in str(answer)
    assert error["extensions"]["requestId"] in error["message"]
    assert "swordfish" in caplog.text
    assert "Traceback" in caplog.text


async def test_unexpected_error_in_a_mutation_is_masked(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(store: ConcertStore, concert_id: ConcertId) -> Concert | None:
        raise ZeroDivisionError

    concert = await shop.on_sale()
    monkeypatch.setattr(ConcertStore, "get", broken)
    answer = await shop.ask(HOLD, by="alice", input=hold_input(concert, 1))
    assert answer["data"] is None
    assert [error["extensions"]["code"] for error in answer["errors"]] == ["INTERNAL"]


def _is_retryable(error: Answer) -> bool:
    extensions = error["extensions"]
    return (
        extensions["code"] == "UNAVAILABLE"
        and extensions["retryable"] is True
        and extensions["retryAfterSeconds"] >= 1
        and bool(extensions["requestId"])
    )


async def _hold_once(shop: Shop, concert: OnSale) -> Answer:
    """Hold one ticket, always with the same key."""
    document = HOLD.replace("__typename", "__typename ... on TemporarilyUnavailableError { requestId }", 1)
    return (await shop.fields(document, by="alice", input=hold_input(concert, 1, key="once")))["holdTickets"]
