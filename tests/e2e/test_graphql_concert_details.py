"""The details of concerts over GraphQL: created, changed, removed, refused and searched."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.support.past_concerts import raw_id
from tests.support.shop import CREATE, Shop, concert_input, moment, new_key, venue_input

pytestmark = pytest.mark.asyncio(loop_scope="module")

DETAILS = """
    artist genre minimumAge doorsAt doorsAtLocal links { label url }
    venue { name address coordinates { latitude longitude } }
"""
SHOW = f"query ($id: ID!) {{ concert(id: $id) {{ version {DETAILS} }} }}"
UPDATE = f"""mutation ($input: UpdateConcertInput!) {{
  updateConcert(input: $input) {{
    ... on UpdateConcertSuccess {{ concert {{ {DETAILS} }} }}
    ... on InvalidInputError {{ problems {{ path message }} }}
  }}
}}"""
LIST = "query ($search: String) { concerts(filter: {search: $search}) { nodes { id } } }"
START = datetime(2050, 6, 1, 18, 0, tzinfo=UTC)
LINKS = [
    {"label": "Tour", "url": "https://cindercounty.example/tour"},
    {"label": "Hall", "url": "https://hall.example"},
]
PLACE = {"address": "Spiridon-Louis-Ring 21, 80809 Munich", "coordinates": {"latitude": 48.1749, "longitude": 11.5499}}
GIVEN = {
    "artist": "Cinder County",
    "genre": "COUNTRY",
    "minimumAge": 16,
    "doorsAt": moment(START - timedelta(hours=1)),
    "links": LINKS,
}
SHOWN = {
    **GIVEN,
    "doorsAt": "2050-06-01T17:00:00Z",
    "doorsAtLocal": "2050-06-01T19:00:00+02:00",
    "venue": {"name": "Olympiahalle", **PLACE},
}
WITHOUT: dict[str, object] = {
    **dict.fromkeys(("artist", "genre", "minimumAge", "doorsAt", "doorsAtLocal")),
    "links": [],
    "venue": {"name": "Olympiahalle", "address": None, "coordinates": None},
}


async def shown(shop: Shop, concert_id: str) -> dict[str, object]:
    fields = (await shop.fields(SHOW, by="olivia", id=concert_id))["concert"]
    return {name: value for name, value in fields.items() if name != "version"}


async def test_details_are_shown_as_they_were_created(shop: Shop) -> None:
    concert = await shop.draft(startsAt=moment(START), venue=venue_input(**PLACE), **GIVEN)
    assert await shown(shop, concert.id) == SHOWN


async def test_details_are_optional(shop: Shop) -> None:
    concert = await shop.draft(startsAt=moment(START))
    assert await shown(shop, concert.id) == WITHOUT


async def test_concert_of_an_earlier_version_has_no_details(shop: Shop) -> None:
    concert = await shop.draft(startsAt=moment(START), venue=venue_input(**PLACE), **GIVEN)
    await shop.stores.mongo["concerts"].update_one({"_id": raw_id(concert)}, {"$unset": {"details": ""}})
    assert await shown(shop, concert.id) == WITHOUT


async def test_details_that_are_not_sent_stay_unchanged(shop: Shop) -> None:
    concert = await shop.on_sale(startsAt=moment(START), venue=venue_input(**PLACE), **GIVEN)
    renamed = {"concertId": concert.id, "name": "Other", "venue": {"name": "Other hall"}, "links": None}
    changed = (await shop.fields(UPDATE, by="olivia", input=renamed))["updateConcert"]["concert"]
    assert changed == {**SHOWN, "venue": {"name": "Other hall", **PLACE}}


async def test_null_removes_a_detail_and_an_empty_list_all_links(shop: Shop) -> None:
    concert = await shop.on_sale(startsAt=moment(START), venue=venue_input(**PLACE), **GIVEN)
    removed: dict[str, object] = dict.fromkeys(("artist", "genre", "minimumAge", "doorsAt"))
    removed |= {"venue": {"address": None, "coordinates": None}, "links": []}
    input_ = {"concertId": concert.id, **removed}
    assert (await shop.fields(UPDATE, by="olivia", input=input_))["updateConcert"]["concert"] == WITHOUT


async def test_start_cannot_move_away_from_the_doors(shop: Shop) -> None:
    concert = await shop.on_sale(startsAt=moment(START), **GIVEN)
    later = {"concertId": concert.id, "startsAt": moment(START + timedelta(days=1))}
    refused = (await shop.fields(UPDATE, by="olivia", input=later))["updateConcert"]
    assert [problem["path"] for problem in refused["problems"]] == ["doorsAt"]
    assert (await shop.fields(SHOW, id=concert.id))["concert"]["version"] == 2
    both = later | {"doorsAt": moment(START + timedelta(hours=23))}
    changed = (await shop.fields(UPDATE, by="olivia", input=both))["updateConcert"]["concert"]
    assert changed["doorsAt"] == "2050-06-02T17:00:00Z"


async def test_all_problems_with_details_are_listed(shop: Shop) -> None:
    slug = f"refused-{new_key()}"
    bad = concert_input(
        slug=slug,
        artist="",
        minimumAge=0,
        links=[{"label": "", "url": "http://a.example"}],
        venue=venue_input(address="", coordinates={"latitude": 91, "longitude": 181}),
        doorsAt="2000-01-01T00:00:00Z",
    )
    refused = (await shop.fields(CREATE, by="olivia", input=bad))["createConcert"]
    assert sorted(problem["path"] for problem in refused["problems"]) == [
        *("artist", "doorsAt", "links.0.label", "links.0.url", "minimumAge"),
        *("venue.address", "venue.coordinates.latitude", "venue.coordinates.longitude"),
    ]
    assert await shop.stores.concerts.get_by_slug(slug) is None


async def test_unknown_genre_is_refused(shop: Shop) -> None:
    answer = await shop.ask(CREATE, by="olivia", input=concert_input(genre="SHANTY"))
    assert answer["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT"


async def test_concert_is_found_by_its_artist(shop: Shop) -> None:
    artist = f"Tag{new_key()}"
    concert = await shop.on_sale(artist=f"Zoë {artist}")
    found = (await shop.fields(LIST, search=f"zoe {artist}"))["concerts"]["nodes"]
    assert found == [{"id": concert.id}]
