"""A concert has the time zone of its venue and shows its times in this zone. A concert that an
earlier version of Onsale created gets the zone of its country, or its organizer is told to set one.
"""

import pytest

from tests.support.old_concerts import remove_time_zone
from tests.support.shop import CREATE, PUBLISH, Answer, OnSale, Shop, concert_input, venue_input
from tests.support.shop_mutations import CLOSE

pytestmark = pytest.mark.asyncio(loop_scope="module")

READ = """
query ($id: ID!) {
  concert(id: $id) {
    version status startsAt startsAtLocal salesStartAtLocal salesEndAtLocal refundsUntilLocal
    venue { name city country timeZone }
    problems { path message }
  }
}
"""
TIMES = """
query ($id: ID!) {
  concert(id: $id) { startsAt startsAtLocal salesStartAtLocal salesEndAtLocal refundsUntilLocal }
}
"""
UPDATE = """
mutation ($input: UpdateConcertInput!) {
  updateConcert(input: $input) {
    __typename
    ... on DomainError { code message }
    ... on InvalidInputError { problems { path message } }
  }
}
"""
CANCEL = "mutation ($input: CancelConcertInput!) { cancelConcert(input: $input) { __typename } }"
PUBLISH_OR_PROBLEMS = PUBLISH.replace("code message", "code ... on InvalidInputError { problems { path message } }")
TELL = {
    "path": "venue.timeZone",
    "message": "is not set; set it to the IANA time zone of the venue, such as America/Denver",
}
CHANGED = {"__typename": "UpdateConcertSuccess"}
TWICE = {
    "startsAt": "2031-10-26T01:30:00Z",
    "salesStartAt": "2031-03-30T00:59:59.500Z",
    "salesEndAt": "2031-10-26T00:30:00Z",
    "refundsUntil": "2031-03-30T01:00:00Z",
}
"""In Berlin, clocks are put forward on 30 March 2031 and back on 26 October, both at 01:00 UTC."""


async def read(shop: Shop, concert: OnSale) -> Answer:
    return (await shop.fields(READ, by="olivia", id=concert.id))["concert"]


async def update(shop: Shop, concert: OnSale, **changes: object) -> Answer:
    return (await shop.fields(UPDATE, by="olivia", input={"concertId": concert.id} | changes))["updateConcert"]


async def test_times_are_shown_in_the_time_zone_of_the_venue(shop: Shop) -> None:
    concert = await shop.draft(**TWICE)
    await shop.fields(PUBLISH, by="olivia", input={"concertId": concert.id})
    assert (await shop.fields(TIMES, id=concert.id))["concert"] == {
        "startsAt": "2031-10-26T01:30:00Z",
        "startsAtLocal": "2031-10-26T02:30:00+01:00",
        "salesStartAtLocal": "2031-03-30T01:59:59.500+01:00",
        "salesEndAtLocal": "2031-10-26T02:30:00+02:00",
        "refundsUntilLocal": "2031-03-30T03:00:00+02:00",
    }


async def test_new_zone_changes_local_times_but_not_the_moment(shop: Shop) -> None:
    concert = await shop.on_sale(startsAt="2050-07-01T00:30:00Z")
    assert await update(shop, concert, venue={"timeZone": "Pacific/Honolulu"}) == CHANGED
    shown = await read(shop, concert)
    assert (shown["startsAt"], shown["startsAtLocal"]) == ("2050-07-01T00:30:00Z", "2050-06-30T14:30:00-10:00")


@pytest.mark.parametrize("change", [{"name": "Renamed"}, {"venue": {"name": "Zenith", "city": "Paris"}}, {"venue": {}}])
async def test_update_without_a_time_zone_keeps_it(shop: Shop, change: dict[str, object]) -> None:
    concert = await shop.on_sale(venue=venue_input(timeZone="Europe/Paris"))
    assert await update(shop, concert, **change) == CHANGED
    assert (await read(shop, concert))["venue"]["timeZone"] == "Europe/Paris"


async def test_concert_cannot_be_created_without_a_time_zone(shop: Shop) -> None:
    venue = venue_input()
    del venue["timeZone"]
    for given in (venue, venue | {"timeZone": None}):
        answer = await shop.ask(CREATE, by="olivia", input=concert_input(venue=given))
        assert {error["extensions"]["code"] for error in answer["errors"]} == {"BAD_USER_INPUT"}
        assert any("timeZone" in error["message"] for error in answer["errors"])


@pytest.mark.parametrize("zone", ["Mars/Olympus_Mons", "europe/berlin", "CEST", "+01:00", "../zones", ""])
async def test_unknown_time_zone_is_refused_and_changes_nothing(shop: Shop, zone: str) -> None:
    problem = {
        "path": "venue.timeZone",
        "message": f"is {zone!r}, which is not a time zone; send an IANA name, such as Europe/Amsterdam",
    }
    input_ = concert_input(venue=venue_input(timeZone=zone), slug="never-made")
    refused = (await shop.fields(CREATE, by="olivia", input=input_))["createConcert"]
    assert (refused["code"], refused["problems"]) == ("INVALID_INPUT", [problem])
    assert await shop.fields('{ concert(slug: "never-made") { id } }', by="olivia") == {"concert": None}
    concert = await shop.on_sale()
    before = await read(shop, concert)
    refused = await update(shop, concert, name="Renamed", venue={"timeZone": zone})
    assert (refused["code"], refused["problems"]) == ("INVALID_INPUT", [problem])
    assert await read(shop, concert) == before


@pytest.mark.parametrize(("country", "zone"), [("NL", "Europe/Amsterdam"), ("DE", "Europe/Berlin")])
async def test_old_concert_gets_the_zone_of_its_country(shop: Shop, country: str, zone: str) -> None:
    concert = await shop.on_sale()
    await remove_time_zone(shop, concert, country=country)
    shown = await read(shop, concert)
    assert (shown["venue"]["timeZone"], shown["problems"]) == (zone, [])
    assert shown["startsAtLocal"] is not None
    # The next change writes the zone, so a later move to another country keeps it.
    assert await update(shop, concert, venue={"country": "US"}) == CHANGED
    assert (await read(shop, concert))["venue"]["timeZone"] == zone


async def test_old_concert_in_a_country_with_several_zones_has_a_problem(shop: Shop) -> None:
    concert = await shop.on_sale(refundsUntil="2050-01-01T00:00:00Z", startsAt="2050-01-01T00:00:00Z")
    await remove_time_zone(shop, concert, country="US")
    times = (await shop.fields(TIMES, id=concert.id))["concert"]
    assert times.pop("startsAt") == "2050-01-01T00:00:00Z"
    assert set(times.values()) == {None}
    told = await shop.ask(READ, by="otto", id=concert.id)
    assert told["data"]["concert"]["problems"] is None
    assert [error["extensions"]["code"] for error in told["errors"]] == ["FORBIDDEN"]
    assert (await read(shop, concert))["problems"] == [TELL]
    assert await update(shop, concert, name="Renamed") == CHANGED
    assert (await read(shop, concert))["problems"] == [TELL]
    assert await update(shop, concert, venue={"timeZone": "America/Denver"}) == CHANGED
    shown = await read(shop, concert)
    assert (shown["problems"], shown["startsAtLocal"]) == ([], "2049-12-31T17:00:00-07:00")


async def test_old_draft_is_published_only_with_a_time_zone(shop: Shop) -> None:
    draft = await shop.draft()
    await remove_time_zone(shop, draft, country="US")
    before = await read(shop, draft)
    publish = {"concertId": draft.id}
    refused = (await shop.fields(PUBLISH_OR_PROBLEMS, by="olivia", input=publish))["publishConcert"]
    assert refused == {"__typename": "InvalidInputError", "code": "INVALID_INPUT", "problems": [TELL]}
    assert await read(shop, draft) == before
    assert await update(shop, draft, venue={"timeZone": "America/Denver"}) == CHANGED
    published = (await shop.fields(PUBLISH, by="olivia", input=publish))["publishConcert"]
    assert published == {"__typename": "PublishConcertSuccess"}


async def test_time_zone_can_be_set_after_the_concert_has_closed(shop: Shop) -> None:
    concert = await shop.on_sale()
    await remove_time_zone(shop, concert, country="US")
    await shop.fields(CLOSE, by="olivia", input={"concertId": concert.id})
    assert (await read(shop, concert))["problems"] == [TELL]
    refused = await update(shop, concert, venue={"timeZone": "America/Denver", "city": "Boulder"})
    assert refused["code"] == "ILLEGAL_TRANSITION"
    assert (await read(shop, concert))["problems"] == [TELL]
    assert await update(shop, concert, venue={"timeZone": "America/Denver"}) == CHANGED
    assert (await read(shop, concert))["problems"] == []


async def test_canceled_concert_has_no_problems(shop: Shop) -> None:
    concert = await shop.on_sale()
    await remove_time_zone(shop, concert, country="US")
    await shop.fields(CANCEL, by="olivia", input={"concertId": concert.id})
    assert (await read(shop, concert))["problems"] == []
