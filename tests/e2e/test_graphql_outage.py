"""The face while a store is away: what does not need it still answers, the rest is refused as retryable, all heals."""

import logging
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
from tests.support.shop import HOLD, Answer, Shop, lines, new_key, shop_on
from tests.support.waiting import wait_until

CATALOGUE = """
query ($id: ID!) {
  concert(id: $id) { name tiers { name capacity available } stock { soldOut } }
  concerts { nodes { name } }
  serverTime
}
"""


@pytest_asyncio.fixture
async def shop(own_valkey: ServerProcess, own_mongod: ServerProcess) -> AsyncIterator[Shop]:
    async with opened(own_valkey.url, own_mongod.url, "onsale") as stores, shop_on(stores, own_valkey.url) as made:
        yield made


async def test_without_the_stock_store_the_catalogue_answers(shop: Shop, own_valkey: ServerProcess) -> None:
    concert = await shop.on_sale()
    await own_valkey.kill()
    answer = await shop.ask(CATALOGUE, id=concert.id)
    tiers = [
        {"name": "Standing", "capacity": 100, "available": None},
        {"name": "Balcony", "capacity": 2, "available": None},
    ]
    assert answer["data"]["concert"] == {"name": "Night of the Proms", "tiers": tiers, "stock": None}
    assert answer["data"]["concerts"] == {"nodes": [{"name": "Night of the Proms"}]}
    assert sorted(error["path"][-1] for error in answer["errors"]) == ["available", "available", "stock"]
    for error in answer["errors"]:
        assert _is_retryable(error)
    await own_valkey.start()
    await wait_until(lambda: _is_answered(shop, CATALOGUE, concert.id), what="the stock")


async def test_without_the_stock_store_a_hold_is_refused_and_the_same_key_holds_later(
    shop: Shop, own_valkey: ServerProcess
) -> None:
    concert = await shop.on_sale()
    await own_valkey.kill()
    refused = await _hold(shop, {"concertId": concert.id, "lines": lines(concert, 1), "idempotencyKey": "once"})
    assert (refused["__typename"], refused["retryable"]) == ("TemporarilyUnavailableError", True)
    assert refused["retryAfterSeconds"] >= 1
    assert refused["requestId"]
    await own_valkey.start()
    await wait_until(lambda: _is_held(shop, concert.id, lines(concert, 1)), timeout=20, what="the hold")
    assert await shop.stock(concert) == [(99, 1, 0), (2, 0, 0)]


async def test_without_the_order_database_nothing_is_bought_and_the_same_key_buys_later(
    shop: Shop, own_mongod: ServerProcess
) -> None:
    concert = await shop.on_sale()
    hold = (await shop.hold(concert, 1))["hold"]
    await own_mongod.kill()
    refused = await shop.buy({"holdId": hold["id"]}, key="once")
    assert (refused["__typename"], refused["retryable"]) == ("TemporarilyUnavailableError", True)
    answer = await shop.ask("{ concerts { nodes { id } } }")
    assert answer["data"] is None
    assert _is_retryable(answer["errors"][0])
    await own_mongod.start()

    async def is_bought() -> bool:
        return "order" in await shop.buy({"holdId": hold["id"]}, key="once")

    await wait_until(is_bought, timeout=30, what="the order")
    assert await shop.stock(concert) == [(99, 0, 1), (2, 0, 0)]


async def test_without_the_order_database_holding_goes_on(shop: Shop, own_mongod: ServerProcess) -> None:
    concert = await shop.on_sale()
    await shop.hold(concert, 1)
    await own_mongod.kill()
    wish = {"concertId": concert.id, "lines": lines(concert, 1), "idempotencyKey": new_key()}
    answer = await shop.ask(HOLD.replace("tier { name }", ""), by="alice", input=wish)
    hold = answer["data"]["holdTickets"]["hold"]
    assert (hold["state"], hold["total"]["amount"], hold["concert"]) == ("HELD", "49.50", None)
    (error,) = answer["errors"]
    assert (error["path"][-1], _is_retryable(error)) == ("concert", True)


async def test_what_nobody_foresaw_is_masked_and_logged(
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


async def test_a_mutation_that_breaks_is_masked_too(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(store: ConcertStore, concert_id: ConcertId) -> Concert | None:
        raise ZeroDivisionError

    concert = await shop.on_sale()
    monkeypatch.setattr(ConcertStore, "get", broken)
    wish = {"concertId": concert.id, "lines": lines(concert, 1), "idempotencyKey": new_key()}
    answer = await shop.ask(HOLD, by="alice", input=wish)
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


async def _is_answered(shop: Shop, document: str, concert_id: str) -> bool:
    return "errors" not in await shop.ask(document, id=concert_id)


async def _hold(shop: Shop, wish: dict[str, object]) -> Answer:
    document = HOLD.replace("__typename", "__typename ... on TemporarilyUnavailableError { requestId }", 1)
    return (await shop.fields(document, by="alice", input=wish))["holdTickets"]


async def _is_held(shop: Shop, concert_id: str, wanted: list[dict[str, object]]) -> bool:
    return "hold" in await _hold(shop, {"concertId": concert_id, "lines": wanted, "idempotencyKey": "once"})
