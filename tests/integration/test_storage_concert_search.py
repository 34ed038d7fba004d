"""Search words are written with each concert, and at startup for concerts of earlier versions."""

from datetime import UTC, datetime
from typing import Any

from domain.concerts import ConcertFilter
from resolvers import concerts
from resolvers.concerts import list_concerts
from storage.connect import Stores
from storage.mongo import concert_search
from storage.mongo.client import Document
from tests.support.sale import context, draft, on_sale, opened, organizer
from tests.support.waiting import wait_until


async def ids_found(stores: Stores, **filter_: Any) -> list[str]:
    page = await list_concerts(context(stores), ConcertFilter(**filter_), first=100, after=None)
    return sorted(concert.id for concert in page.items)


async def test_concerts_without_words_get_them_in_batches(stores: Stores) -> None:
    made = [await on_sale(stores, 1, name=f"Bjo\u0308rk {number}") for number in range(5)]
    everywhere = stores.mongo["concerts"]
    await everywhere.update_many({}, {"$unset": {"search": ""}})
    assert await ids_found(stores, search="bjork") == []
    assert await concert_search.backfill(everywhere, batch=2) == 5
    assert await ids_found(stores, search="bjork") == sorted(concert.id for concert in made)
    assert await concert_search.backfill(everywhere, batch=2) == 0
    for concert in made:
        assert await stores.concerts.get(concert.id) == concert


async def test_words_of_an_earlier_name_or_form_are_written_again(stores: Stores) -> None:
    made = await on_sale(stores, 1, name="Karlín")
    everywhere = stores.mongo["concerts"]
    # An earlier version of Onsale changes a name in this way, without the words.
    await everywhere.update_one({"_id": made.id}, {"$set": {"name": "Žižkov"}, "$inc": {"version": 1}})
    assert await ids_found(stores, search="zizkov") == []
    assert await concert_search.backfill(everywhere) == 1
    assert await ids_found(stores, search="zizkov") == [made.id]
    await everywhere.update_one({"_id": made.id}, {"$set": {"search.form": 0, "search.words": []}})
    assert await concert_search.backfill(everywhere) == 1
    assert await ids_found(stores, search="zizkov", city="AMSTERDAM") == [made.id]


async def test_a_city_of_the_first_form_is_written_again(stores: Stores) -> None:
    made = await on_sale(stores, 1)
    everywhere = stores.mongo["concerts"]
    venue = {"venue.city": "L'Aquila", "search.form": 1, "search.city": "l'aquila"}
    await everywhere.update_one({"_id": made.id}, {"$set": venue})
    assert await ids_found(stores, city="l\u2019aquila") == []
    assert await concert_search.backfill(everywhere) == 1
    assert await ids_found(stores, city="l\u2019aquila") == [made.id]


async def test_a_concert_that_changes_during_the_backfill_keeps_its_own_words(stores: Stores) -> None:
    made = await on_sale(stores, 1, name="Karlín")
    old: Document = (await stores.mongo["concerts"].find_one({"_id": made.id})) or {}
    update = concert_search.update_of({**old, "version": old["version"] - 1, "name": "Late"})
    await stores.mongo["concerts"].bulk_write([update])
    assert await ids_found(stores, search="late") == []
    assert await ids_found(stores, search="karlin") == [made.id]


async def test_a_start_writes_missing_words(valkey_url: str, mongo_url: str, mongo_database: str) -> None:
    async with opened(valkey_url, mongo_url, mongo_database) as stores:
        made = await on_sale(stores, 1, name="Björk")
        await stores.mongo["concerts"].update_many({}, {"$unset": {"search": ""}})
    async with opened(valkey_url, mongo_url, mongo_database) as stores:

        async def is_found() -> bool:
            return await ids_found(stores, search="bjork") == [made.id]

        await wait_until(is_found, what="the words")


async def test_names_are_stored_composed(stores: Stores) -> None:
    made = await concerts.create_concert(
        organizer(stores),
        draft(1, name="Bjo\u0308rk", description="o\u0308\r\n", starts_at=datetime(2050, 1, 1, tzinfo=UTC)),
    )
    stored = await stores.concerts.get(made.id)
    assert stored == made
    assert (made.terms.name, made.terms.description, made.slug.partition("-")[0]) == ("Björk", "ö", "bjork")
