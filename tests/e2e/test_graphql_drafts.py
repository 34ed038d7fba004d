"""Drafts over GraphQL: copied from concerts, and deleted with everything that refers to them."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from tests.support.past_concerts import move_into_past, raw_id
from tests.support.shop import PRICED, PUBLISH, Answer, OnSale, Shop, moment, new_key, person_id, venue_input
from tests.support.shop_mutations import CLOSE, UNKNOWN_CONCERT

pytestmark = pytest.mark.asyncio(loop_scope="module")

COPY = """mutation ($input: CopyConcertInput!) {
  copyConcert(input: $input) {
    __typename
    ... on CopyConcertSuccess { concert {
      id slug name status version artist doorsAt startsAt salesStartAt salesEndAt limitPerOrder gatePeople
      venue { name address } tiers { id name capacity available price { minor } }
      waitingRoom { suspended totalActiveUsers opensAt message }
    } }
    ... on DomainError { code message }
    ... on InvalidInputError { problems { path message } }
  }
}"""
DELETE = """mutation ($input: DeleteConcertInput!) {
  deleteConcert(input: $input) {
    __typename
    ... on DeleteConcertSuccess { concertId }
    ... on DomainError { code message }
    ... on IllegalTransitionError { status }
    ... on InvalidInputError { problems { path } }
  }
}"""
UPDATE = "mutation ($input: UpdateConcertInput!) { updateConcert(input: $input) { __typename } }"
CANCEL = "mutation ($input: CancelConcertInput!) { cancelConcert(input: $input) { __typename } }"
EXISTS = "query ($id: ID!) { concert(id: $id) { status } node(id: $id) { id } }"
START = datetime(2055, 5, 1, 18, 0, tzinfo=UTC)
LATER = moment(START + timedelta(days=7))
ROOM = {"suspended": False, "totalActiveUsers": 50, "message": "Soon", "opensAt": moment(START - timedelta(days=20))}


async def copy(shop: Shop, concert_id: str, *, by: str = "olivia", key: str | None = None, **input_: object) -> Answer:
    whole = {"concertId": concert_id, "startsAt": LATER, "idempotencyKey": key or new_key(), **input_}
    return (await shop.fields(COPY, by=by, input=whole))["copyConcert"]


async def delete(shop: Shop, concert_id: str, *, by: str = "olivia") -> Answer:
    return (await shop.fields(DELETE, by=by, input={"concertId": concert_id}))["deleteConcert"]


async def count_concerts(shop: Shop) -> int:
    return await shop.stores.mongo["concerts"].count_documents({})


async def new_original(shop: Shop, **changes: object) -> OnSale:
    return await shop.on_sale(
        name="Evening",
        artist="Trio",
        doorsAt=moment(START - timedelta(hours=1)),
        startsAt=moment(START),
        salesStartAt=moment(START - timedelta(days=30)),
        salesEndAt=moment(START - timedelta(hours=2)),
        tiers=PRICED,
        waitingRoom=ROOM,
        venue=venue_input(address="Spiridon-Louis-Ring 21"),
        **changes,
    )


async def test_copy_is_a_draft_at_another_time(shop: Shop) -> None:
    original = await new_original(shop)
    made = (await copy(shop, original.id))["concert"]
    assert made["id"] != original.id
    assert made["slug"].startswith("evening-")
    assert {tier.pop("id") for tier in made["tiers"]}.isdisjoint(original.tiers)
    assert {name: value for name, value in made.items() if name not in ("id", "slug")} == {
        "name": "Evening",
        "status": "DRAFT",
        "version": 1,
        "artist": "Trio",
        "doorsAt": "2055-05-08T17:00:00Z",
        "startsAt": "2055-05-08T18:00:00Z",
        "salesStartAt": "2055-04-08T18:00:00Z",
        "salesEndAt": "2055-05-08T16:00:00Z",
        "limitPerOrder": 4,
        "gatePeople": [],
        "venue": {"name": "Olympiahalle", "address": "Spiridon-Louis-Ring 21"},
        "tiers": [
            {"name": "Standing", "capacity": 100, "available": 100, "price": {"minor": 4950}},
            {"name": "Balcony", "capacity": 2, "available": 2, "price": {"minor": 8000}},
        ],
        "waitingRoom": {"suspended": False, "totalActiveUsers": 50, "opensAt": "2055-04-08T18:00:00Z", "message": ""},
    }
    published = await shop.fields(PUBLISH, by="olivia", input={"concertId": made["id"]})
    assert published["publishConcert"] == {"__typename": "PublishConcertSuccess"}
    assert await shop.stock(OnSale(made["id"], ())) == [(100, 0, 0), (2, 0, 0)]


async def test_past_closed_and_canceled_concerts_and_drafts_can_be_copied(shop: Shop) -> None:
    closed, canceled = [await new_original(shop) for _ in range(2)]
    past, draft = await shop.on_sale(), await shop.draft()
    await move_into_past(shop, past, days=400)
    await shop.fields(CLOSE, by="olivia", input={"concertId": closed.id})
    await shop.fields(CANCEL, by="olivia", input={"concertId": canceled.id})
    for concert in (past, closed, canceled, draft):
        assert (await copy(shop, concert.id))["concert"]["status"] == "DRAFT"


async def test_concurrent_copies_with_one_key_make_one_draft(shop: Shop) -> None:
    original, key, before = await new_original(shop), new_key(), await count_concerts(shop)
    made = await asyncio.gather(*[copy(shop, original.id, key=key, slug=f"copy-{key}") for _ in range(20)])
    assert {answer["concert"]["id"] for answer in made} == {made[0]["concert"]["id"]}
    assert await count_concerts(shop) == before + 1
    assert (await copy(shop, original.id))["concert"]["id"] != made[0]["concert"]["id"]


async def test_repeated_copy_shows_the_draft_as_it_is_now(shop: Shop) -> None:
    original, key = await new_original(shop), new_key()
    made = (await copy(shop, original.id, key=key))["concert"]
    await shop.fields(UPDATE, by="olivia", input={"concertId": made["id"], "name": "Renamed"})
    await shop.fields(UPDATE, by="olivia", input={"concertId": original.id, "name": "Other"})
    again = (await copy(shop, original.id, key=key))["concert"]
    assert (again["id"], again["name"], again["version"]) == (made["id"], "Renamed", 2)


async def test_repeated_copy_shows_no_draft_of_another_organizer(shop: Shop) -> None:
    original, key = await new_original(shop), new_key()
    made = (await copy(shop, original.id, key=key))["concert"]
    give = """mutation ($input: ChangeConcertOrganizerInput!) {
      changeConcertOrganizer(input: $input) { __typename }
    }"""
    await shop.fields(give, by="ada", input={"concertId": made["id"], "organizerId": person_id("otto")})
    assert (await copy(shop, original.id, key=key))["code"] == "NOT_FOUND"


async def test_key_of_another_copy_is_refused(shop: Shop) -> None:
    original, key = await new_original(shop), new_key()
    await copy(shop, original.id, key=key)
    before = await count_concerts(shop)
    refused = await copy(shop, original.id, key=key, name="Another")
    assert refused["code"] == "IDEMPOTENCY_CONFLICT"
    assert await count_concerts(shop) == before


async def test_copy_by_an_admin_belongs_to_the_organizer(shop: Shop) -> None:
    made = (await copy(shop, (await new_original(shop)).id, by="ada"))["concert"]
    assert (await delete(shop, made["id"], by="otto"))["code"] == "NOT_FOUND"
    assert (await delete(shop, made["id"]))["concertId"] == made["id"]


async def test_bad_values_of_a_copy_are_refused_with_their_paths(shop: Shop) -> None:
    original, taken = await new_original(shop), f"taken-{new_key()}"
    await shop.draft(slug=taken)
    before = await count_concerts(shop)
    at = moment(START)
    for changes, paths in (
        ({"startsAt": "2150-01-01T00:00:00Z"}, ["startsAt", "salesStartAt", "salesEndAt"]),
        ({"salesStartAt": LATER, "salesEndAt": at}, ["salesEndAt"]),
        ({"salesEndAt": moment(START + timedelta(days=9))}, ["salesEndAt"]),
        ({"doorsAt": at}, ["doorsAt"]),
        ({"refundsUntil": moment(START + timedelta(days=8))}, ["refundsUntil"]),
        ({"name": "", "slug": "Not a slug"}, ["name", "slug"]),
        ({"slug": taken}, ["slug"]),
        ({"idempotencyKey": ""}, ["idempotencyKey"]),
        ({"concertId": "x", "idempotencyKey": ""}, ["concertId", "idempotencyKey"]),
    ):
        refused = await copy(shop, **({"concert_id": original.id} | changes))
        assert [problem["path"] for problem in refused["problems"]] == paths
    assert (await copy(shop, UNKNOWN_CONCERT))["code"] == "NOT_FOUND"
    assert await count_concerts(shop) == before


async def test_deleted_draft_is_gone_with_its_audit_rows(shop: Shop) -> None:
    slug = f"gone-{new_key()}"
    draft = await shop.draft(slug=slug)
    change = {"concertId": draft.id, "tiers": [{"tierId": draft.tiers[0], "priceMinor": 500}]}
    await shop.fields(UPDATE, by="olivia", input=change)
    audits = shop.stores.mongo["room_audits"]
    assert await audits.count_documents({"concertId": raw_id(draft)}) == 1
    assert await delete(shop, draft.id) == {"__typename": "DeleteConcertSuccess", "concertId": draft.id}
    assert await shop.fields(EXISTS, by="olivia", id=draft.id) == {"concert": None, "node": None}
    assert await audits.count_documents({"concertId": raw_id(draft)}) == 0
    assert (await delete(shop, draft.id))["code"] == "NOT_FOUND"
    again = await shop.draft(slug=slug)
    assert again.id != draft.id


async def test_concert_that_was_published_cannot_be_deleted(shop: Shop) -> None:
    on_sale, closed, canceled = [await shop.on_sale() for _ in range(3)]
    await shop.fields(CLOSE, by="olivia", input={"concertId": closed.id})
    await shop.fields(CANCEL, by="olivia", input={"concertId": canceled.id})
    messages = {}
    for concert in (on_sale, closed, canceled):
        refused = await delete(shop, concert.id)
        assert refused["code"] == "ILLEGAL_TRANSITION"
        messages[refused["status"]] = refused["message"]
        assert (await shop.fields(EXISTS, by="olivia", id=concert.id))["concert"]["status"] == refused["status"]
    kept = "so it cannot be deleted; it is kept for the people with tickets."
    assert messages == {
        "PUBLISHED": "This concert is published, so it cannot be deleted; close or cancel it instead.",
        "CLOSED": f"This concert is closed, {kept}",
        "CANCELLED": f"This concert is canceled, {kept}",
    }


async def test_draft_is_published_or_deleted_but_never_both(shop: Shop) -> None:
    for _ in range(10):
        draft = await shop.draft()
        publish = shop.fields(PUBLISH, by="olivia", input={"concertId": draft.id})
        published, deleted = await asyncio.gather(publish, delete(shop, draft.id))
        outcome = published["publishConcert"]["__typename"], deleted["__typename"]
        concert = (await shop.fields(EXISTS, by="olivia", id=draft.id))["concert"]
        if concert is None:
            assert outcome == ("NotFoundError", "DeleteConcertSuccess")
        else:
            assert outcome == ("PublishConcertSuccess", "IllegalTransitionError")
            assert await shop.stock(draft) == [(100, 0, 0), (2, 0, 0)]


async def test_malformed_id_of_a_draft_is_refused(shop: Shop) -> None:
    assert (await delete(shop, "x"))["problems"] == [{"path": "concertId"}]
