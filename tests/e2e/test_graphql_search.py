"""Search over HTTP finds a concert by any spelling of its name, venue and city."""

import pytest

from tests.support.shop import CREATE, Shop, concert_input, new_key, venue_input

pytestmark = pytest.mark.asyncio(loop_scope="module")

LIST = "query ($filter: ConcertFilter) { concerts(filter: $filter, first: 100) { nodes { slug name } } }"
UPDATE = """mutation ($input: UpdateConcertInput!) {
  updateConcert(input: $input) {
    __typename
    ... on UpdateConcertSuccess { concert { name } }
    ... on InvalidInputError { problems { path } }
  }
}"""


async def found(shop: Shop, **filter_: str) -> list[str]:
    nodes = (await shop.fields(LIST, filter=filter_))["concerts"]["nodes"]
    return [node["slug"] for node in nodes]


@pytest.mark.parametrize(
    ("name", "place", "city", "query"),
    [
        ("Bjo\u0308rk", "Forum", "Praha", "björk"),
        ("Björk", "Forum", "Praha", "Bjo\u0308rk"),
        ("Björk", "Forum", "Praha", "bjork"),
        ("Ada", "Forum Karlín", "Praha", "karlin"),
        ("The Hollow Saints", "The Fillmore", "San Francisco", "hollow fillmore"),
        ("The Hollow Saints", "The Fillmore", "San Francisco", "francisco HOLL"),
        ("Große Straße", "Forum", "Praha", "grosse strasse"),
        ("$^.*[", "Forum", "Praha", "$^.*["),
        ("The Hollow Saints", "The Fillmore", "San Francisco", "hollow & fillmore"),
        ("The Hollow Saints", "The Fillmore", "San Francisco", "the hollow saints @ fillmore"),
        ("The Hollow Saints", "The Fillmore", "San Francisco", "\u200fhol\u00adlow\u200b saints\ufeff"),
    ],
)
async def test_concert_is_found_by_any_spelling(shop: Shop, name: str, place: str, city: str, query: str) -> None:
    slug, tag = f"found-{new_key()}", f"Tag{new_key()}"
    await shop.on_sale(slug=slug, name=f"{name} {tag}", venue=venue_input(name=place, city=city))
    assert await found(shop, search=f"{query} {tag}") == [slug]
    assert await found(shop, search=f"{query} {tag} elsewhere") == []


async def test_city_is_found_without_its_accents_but_only_by_its_full_name(shop: Shop) -> None:
    slug, tag = f"city-{new_key()}", new_key()
    await shop.on_sale(slug=slug, venue=venue_input(city=f"Karlín {tag}"))
    assert await found(shop, city=f" karlin  {tag.upper()}") == [slug]
    assert await found(shop, city="karlin") == []


@pytest.mark.parametrize(
    ("city", "writing"),
    [
        ("L'Aquila", "l\u2019aquila"),
        ("Saint-Étienne", "Saint\u2010Étienne"),
        ("Saint-Étienne", "saint etienne\u200f"),
    ],
)
async def test_city_is_found_regardless_of_punctuation(shop: Shop, city: str, writing: str) -> None:
    slug, tag = f"city-{new_key()}", new_key()
    await shop.on_sale(slug=slug, venue=venue_input(city=f"{city} {tag}"))
    assert await found(shop, city=f"{writing} {tag}") == [slug]


async def test_only_organizers_find_drafts(shop: Shop) -> None:
    name = f"Tag{new_key()}"
    await shop.on_sale(name=name)
    draft = (await shop.fields(CREATE, by="olivia", input=concert_input(name=name)))["createConcert"]
    assert draft["concert"]["id"]

    async def count(by: str | None, *status: str) -> int:
        fields = await shop.fields(LIST, by=by, filter={"search": name, "status": list(status)})
        return len(fields["concerts"]["nodes"])

    for by in (None, "alice"):
        assert (await count(by, "DRAFT"), await count(by, "DRAFT", "PUBLISHED"), await count(by)) == (0, 1, 1)
    assert (await count("olivia", "DRAFT"), await count("olivia")) == (1, 2)


async def test_renamed_concert_is_found_only_by_its_new_name(shop: Shop) -> None:
    old, new = f"old{new_key()}", f"new{new_key()}"
    concert = await shop.on_sale(name=old)
    changed = await shop.fields(UPDATE, by="olivia", input={"concertId": concert.id, "name": f"{new} o\u0308"})
    assert changed["updateConcert"]["concert"] == {"name": f"{new} ö"}
    assert len(await found(shop, search=new)) == 1
    assert await found(shop, search=old) == []


async def test_sharp_s_becomes_ss_in_a_slug(shop: Shop) -> None:
    name = f"Straße {new_key()}"
    await shop.on_sale(name=name)
    (slug,) = await found(shop, search=name)
    assert slug.startswith("strasse-")


@pytest.mark.parametrize("other", ["Bjo\u0308rk", "BJÖRK", "\uff22jörk", "Björk "])
async def test_two_tiers_cannot_have_names_that_look_alike(shop: Shop, other: str) -> None:
    tiers = [{"name": name, "priceMinor": 100, "capacity": 1} for name in ("Björk", other)]
    refused = (await shop.fields(CREATE, by="olivia", input=concert_input(tiers=tiers)))["createConcert"]
    assert [problem["path"] for problem in refused["problems"]] == ["tiers.1.name"]
    concert = await shop.on_sale(tiers=[tiers[0]])
    for change, path in (
        ({"newTiers": [tiers[1]]}, "newTiers.0.name"),
        ({"newTiers": [{**tiers[1], "name": "A"}, {**tiers[1], "name": "a"}]}, "newTiers.1.name"),
    ):
        answer = await shop.fields(UPDATE, by="olivia", input={"concertId": concert.id, **change})
        assert [problem["path"] for problem in answer["updateConcert"]["problems"]] == [path]


async def test_problem_with_a_changed_tier_names_its_path_in_the_input(shop: Shop) -> None:
    concert = await shop.on_sale()
    tiers = [{"tierId": concert.tiers[1], "name": "STANDING"}]
    answer = await shop.fields(UPDATE, by="olivia", input={"concertId": concert.id, "tiers": tiers})
    assert [problem["path"] for problem in answer["updateConcert"]["problems"]] == ["tiers.0.name"]
    swapped = [{"tierId": concert.tiers[0], "name": "Balcony"}, {"tierId": concert.tiers[1], "name": "Standing"}]
    answer = await shop.fields(UPDATE, by="olivia", input={"concertId": concert.id, "tiers": swapped})
    assert answer["updateConcert"]["__typename"] == "UpdateConcertSuccess"
