"""A list of concerts reads little more than it shows, in a catalog of 3,000 concerts."""

import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio

from auth.viewer import Role
from domain.catalog.details import Genre
from domain.catalog.listing import ConcertSort, MatchCount, PriceFilter
from domain.concerts import ConcertFilter, ConcertStatus
from domain.money import CurrencyCode
from domain.page import PageRequest
from resolvers import concerts
from storage.connect import Stores
from storage.embedded.process import ServerProcess
from storage.mongo.catalog import listing
from storage.mongo.client import Document
from tests.support.sale import context, draft, opened, organizer

pytestmark = pytest.mark.asyncio(loop_scope="module")

COUNT, PAST, PAGE = 3_000, 2_000, 10
NOW = datetime.now(UTC).replace(microsecond=0)
JPY = CurrencyCode.JPY


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stores(shared_valkey: ServerProcess, shared_mongod: ServerProcess) -> AsyncIterator[Stores]:
    async with opened(shared_valkey.url, shared_mongod.url, f"test_{uuid.uuid4().hex}") as made:
        await fill(made)
        yield made
        await made.mongo.client.drop_database(made.mongo.name)


async def fill(stores: Stores) -> None:
    """Add 2,000 past concerts and 1,000 upcoming ones, an hour apart. Every 100th is special."""
    made = await concerts.create_concert(organizer(stores), draft(1, price_minor=5_000))
    collection = stores.mongo["concerts"]
    whole: Document | None = await collection.find_one_and_delete({"_id": made.id})
    assert whole is not None
    await collection.insert_many([{**whole, **fields_of(number, whole)} for number in range(COUNT)])
    await stores.mongo.command("profile", 2)


def fields_of(number: int, whole: Document) -> Document:
    starts_at = NOW + timedelta(hours=number - PAST) + timedelta(days=1)
    found: Document = {
        "_id": f"concert{number:05}",
        "slug": f"concert-{number}",
        "status": ConcertStatus.PUBLISHED,
        "startsAt": starts_at,
        "salesStartAt": starts_at - timedelta(days=20),
        "salesEndAt": starts_at,
    }
    if number % 100:
        return found
    # Their prices are 0, 1000, … 29000.
    tier = {**whole["tiers"][0], "priceMinor": number * 10}
    hidden = {**tier, "priceMinor": 1, "isHidden": True}
    return found | {
        "organizerId": "otto",
        "currency": JPY,
        "tiers": [tier, hidden],
        "venue": {**whole["venue"], "country": "IS"},
        "details": {**whole["details"], "genre": Genre.REGGAE},
        "search": {**whole["search"], "city": "reykjavik", "words": ["reykjavik"]},
    }


@dataclass(frozen=True, slots=True)
class Read:
    ids: list[str]
    documents: int
    """The number of documents that MongoDB examined."""


async def read(
    stores: Stores, filter_: ConcertFilter, sort: ConcertSort = ConcertSort.STARTS_AT, **request: Any
) -> Read:
    """Read one page as otto, an organizer, and return what MongoDB did for it."""
    since = await stores.mongo["system.profile"].count_documents({})
    page = await concerts.list_concerts(
        context(stores, "otto", Role.ORGANIZER), filter_, PageRequest(PAGE, **request), sort
    )
    done = await profiled(stores, since)
    return Read([concert.id for concert in page.items], sum(one["docsExamined"] for one in done))


async def profiled(stores: Stores, since: int) -> list[Document]:
    """Return what MongoDB recorded about reads of concerts after the first `since` records."""
    found: list[Document] = await stores.mongo["system.profile"].find().sort("$natural", 1).skip(since).to_list(100)
    reads = [one for one in found if one["ns"].endswith(".concerts")]
    assert reads
    return reads


def ids(*numbers: int) -> list[str]:
    return [f"concert{number:05}" for number in numbers]


UPCOMING = ConcertFilter(upcoming=True)
FIRST = PAST - 47
"""The first concert that started less than a day ago."""
SPECIAL = {
    "country": ConcertFilter(country="IS"),
    "genre": ConcertFilter(genres=(Genre.REGGAE, Genre.PUNK)),
    "city": ConcertFilter(city="Reykjavík"),
    "search": ConcertFilter(search="reykja"),
    "currency": ConcertFilter(price=PriceFilter(JPY)),
    "price": ConcertFilter(price=PriceFilter(JPY, 0, 29_000)),
    "mine": ConcertFilter(mine=True),
    "country and genre": ConcertFilter(country="IS", genres=(Genre.REGGAE,)),
}
each_special = pytest.mark.parametrize("filter_", SPECIAL.values(), ids=SPECIAL.keys())


@pytest.mark.parametrize("filter_", [ConcertFilter(), UPCOMING], ids=["all", "upcoming"])
async def test_first_page_reads_only_what_it_shows(stores: Stores, filter_: ConcertFilter) -> None:
    assert await read(stores, filter_) == Read(ids(*range(FIRST, FIRST + PAGE)), PAGE + 1)


@pytest.mark.parametrize("is_backward", [False, True], ids=["after", "before"])
async def test_later_page_reads_only_what_it_shows(stores: Stores, is_backward: bool) -> None:
    page = await concerts.list_concerts(context(stores, "otto", Role.ORGANIZER), UPCOMING, PageRequest(100))
    found = await read(stores, UPCOMING, cursor=page.cursors[50], is_backward=is_backward)
    here = FIRST + 50
    assert found.ids == ids(*(range(here - PAGE, here) if is_backward else range(here + 1, here + 1 + PAGE)))
    assert found.documents <= PAGE + 2


@each_special
@pytest.mark.parametrize("upcoming", [False, True], ids=["all", "upcoming"])
async def test_rare_concerts_are_found_by_an_index(stores: Stores, filter_: ConcertFilter, upcoming: bool) -> None:
    found = await read(stores, replace(filter_, upcoming=upcoming))
    assert found.ids == ids(*range(PAST, COUNT, 100))
    # Each of the two parts of the list may examine all 30 special concerts.
    assert found.documents <= 60


@each_special
async def test_rare_concerts_are_sorted_by_the_start_of_their_sale(stores: Stores, filter_: ConcertFilter) -> None:
    found = await read(stores, replace(filter_, upcoming=True), ConcertSort.SALES_START_AT)
    assert found.ids == ids(*range(2_500, COUNT, 100), *range(2_400, PAST - 1, -100))
    assert found.documents <= 60


async def test_sales_that_start_next_are_read_from_their_index(stores: Stores) -> None:
    found = await read(stores, UPCOMING, ConcertSort.SALES_START_AT)
    assert (found.ids[0], found.documents) == (ids(2_457)[0], PAGE + 1)


async def test_time_range_bounds_the_read(stores: Stores) -> None:
    month = timedelta(days=30)
    found = await read(stores, ConcertFilter(starts_after=NOW - 2 * month, starts_before=NOW - month))
    assert found == Read(ids(*range(1_255, 1_245, -1)), PAGE + 1)
    found = await read(stores, ConcertFilter(upcoming=True, starts_after=NOW + month))
    assert found == Read(ids(*range(2_696, 2_706)), PAGE + 1)


async def test_time_inside_the_sale_bounds_the_read(stores: Stores) -> None:
    found = await read(stores, ConcertFilter(on_sale_at=NOW))
    assert found.ids == ids(*range(1_977, 1_987))
    assert found.documents <= PAGE + 1 + 25


async def test_one_visible_tier_must_match_the_price_filter(stores: Stores) -> None:
    async def found(lowest: int | None, highest: int | None) -> list[str]:
        return (await read(stores, ConcertFilter(price=PriceFilter(JPY, lowest, highest)))).ids

    assert await found(24_000, 25_000) == ids(2_400, 2_500)
    assert await found(29_000, None) == ids(2_900)
    assert await found(None, 999) == ids(0)
    assert await found(1, 999) == []
    assert await found(20_001, 20_999) == []


async def test_price_that_no_ticket_has_needs_no_scan(stores: Stores) -> None:
    filter_ = ConcertFilter(upcoming=True, price=PriceFilter(CurrencyCode.EUR, 1, 4_999))
    assert (await read(stores, filter_)).documents <= 1
    since = await stores.mongo["system.profile"].count_documents({})
    assert await concerts.count_concerts(context(stores), filter_) == MatchCount(0, is_exact=True)
    (done,) = await profiled(stores, since)
    assert done["docsExamined"] <= 1


async def test_concerts_are_counted_up_to_a_limit(stores: Stores, monkeypatch: pytest.MonkeyPatch) -> None:
    viewer = context(stores)
    assert await concerts.count_concerts(viewer, UPCOMING) == MatchCount(COUNT - FIRST, is_exact=True)
    assert await concerts.count_concerts(viewer, ConcertFilter(country="IS")) == MatchCount(30, is_exact=True)
    monkeypatch.setattr(listing, "MAX_COUNT", 30)
    assert await concerts.count_concerts(viewer, ConcertFilter(country="IS")) == MatchCount(30, is_exact=True)
    since = await stores.mongo["system.profile"].count_documents({})
    assert await concerts.count_concerts(viewer, UPCOMING) == MatchCount(30, is_exact=False)
    (done,) = await profiled(stores, since)
    assert done["docsExamined"] <= 31
    assert done["keysExamined"] <= 32
