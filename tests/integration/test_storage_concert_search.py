"""Search words are written with each concert, and at startup for concerts that lack them."""

from datetime import UTC, datetime
from typing import Any

from domain.concerts import ConcertFilter
from domain.page import PageRequest
from resolvers import concerts
from resolvers.concerts import list_concerts
from storage.connect import Stores
from storage.mongo import concert_search
from storage.mongo.client import Document
from tests.support.sale import context, draft, on_sale, opened, organizer
from tests.support.waiting import wait_until


async def ids_found(stores: Stores, **filter_: Any) -> list[str]:
    page = await list_concerts(context(stores), ConcertFilter(**filter_), PageRequest(100))
    return sorted(concert.id for concert in page.items)


async def test_missing_words_are_written_in_batches(stores: Stores) -> None:
    made = [await on_sale(stores, 1, name=f"Bjo\u0308rk {number}") for number in range(5)]
    collection = stores.mongo["concerts"]
    await collection.update_many({}, {"$unset": {"search": ""}})
    assert await ids_found(stores, search="bjork") == []
    assert await concert_search.backfill(collection, batch=2) == 5
    assert await ids_found(stores, search="bjork") == sorted(concert.id for concert in made)
    assert await concert_search.backfill(collection, batch=2) == 0
    for concert in made:
        assert await stores.concerts.get(concert.id) == concert


async def test_outdated_words_are_rewritten(stores: Stores) -> None:
    made = await on_sale(stores, 1, name="Karlín")
    collection = stores.mongo["concerts"]
    # Change the name as an earlier version of Onsale did, without updating the search words.
    await collection.update_one({"_id": made.id}, {"$set": {"name": "Žižkov"}, "$inc": {"version": 1}})
    assert await ids_found(stores, search="zizkov") == []
    assert await concert_search.backfill(collection) == 1
    assert await ids_found(stores, search="zizkov") == [made.id]
    await collection.update_one({"_id": made.id}, {"$set": {"search.form": 0, "search.words": []}})
    assert await concert_search.backfill(collection) == 1
    assert await ids_found(stores, search="zizkov", city="AMSTERDAM") == [made.id]


async def test_city_in_an_outdated_search_format_is_rewritten(stores: Stores) -> None:
    made = await on_sale(stores, 1)
    collection = stores.mongo["concerts"]
    venue = {"venue.city": "L'Aquila", "search.form": 1, "search.city": "l'aquila"}
    await collection.update_one({"_id": made.id}, {"$set": venue})
    assert await ids_found(stores, city="l\u2019aquila") == []
    assert await concert_search.backfill(collection) == 1
    assert await ids_found(stores, city="l\u2019aquila") == [made.id]


async def test_the_backfill_does_not_overwrite_a_later_change(stores: Stores) -> None:
    made = await on_sale(stores, 1, name="Karlín")
    old: Document = (await stores.mongo["concerts"].find_one({"_id": made.id})) or {}
    update = concert_search.update_of({**old, "version": old["version"] - 1, "name": "Late"})
    await stores.mongo["concerts"].bulk_write([update])
    assert await ids_found(stores, search="late") == []
    assert await ids_found(stores, search="karlin") == [made.id]


async def test_missing_words_are_written_at_startup(valkey_url: str, mongo_url: str, fresh_database: str) -> None:
    async with opened(valkey_url, mongo_url, fresh_database) as stores:
        made = await on_sale(stores, 1, name="Björk")
        await stores.mongo["concerts"].update_many({}, {"$unset": {"search": ""}})
    async with opened(valkey_url, mongo_url, fresh_database) as stores:

        async def is_found() -> bool:
            return await ids_found(stores, search="bjork") == [made.id]

        await wait_until(is_found, what="the words")


async def test_names_are_stored_in_composed_form(stores: Stores) -> None:
    made = await concerts.create_concert(
        organizer(stores),
        draft(1, name="Bjo\u0308rk", description="o\u0308\r\n", starts_at=datetime(2050, 1, 1, tzinfo=UTC)),
    )
    stored = await stores.concerts.get(made.id)
    assert stored == made
    assert (made.terms.name, made.terms.description, made.slug.partition("-")[0]) == ("Björk", "ö", "bjork")
