"""The waiting room of a concert as organizers set it and as everybody sees it."""

import asyncio

import pytest

from tests.support.queueing import ROOM
from tests.support.shop import CREATE, Shop, concert_input

pytestmark = pytest.mark.asyncio(loop_scope="module")

UPDATE = """mutation ($input: UpdateConcertInput!) {
  updateConcert(input: $input) {
    __typename
    ... on UpdateConcertSuccess { concert { version waitingRoom { suspended } } }
    ... on DomainError { code }
    ... on InvalidInputError { problems { path } }
    ... on VersionConflictError { version }
  }
}"""
DEFAULTS = {
    "suspended": True,
    "totalActiveUsers": 1000,
    "newUsersPerMinute": 600,
    "passClaimTimeoutSeconds": 60,
    "sessionDurationSeconds": 300,
    "heartbeatTimeoutSeconds": 30,
    "disconnectGraceSeconds": 60,
}
EMPTY = {"servingNumber": 0, "waitingCount": 0, "slotsTaken": 0, "passesIssued": 0}
SETTINGS = {
    "suspended": False,
    "totalActiveUsers": 20,
    "newUsersPerMinute": 300,
    "passClaimTimeoutSeconds": 10,
    "sessionDurationSeconds": 120,
    "heartbeatTimeoutSeconds": 5,
    "disconnectGraceSeconds": 7,
}


async def room(shop: Shop, concert_id: str) -> object:
    return (await shop.fields(ROOM, id=concert_id))["waitingRoom"]


async def test_a_concert_has_no_room_until_it_is_turned_on(shop: Shop) -> None:
    concert = await shop.on_sale()
    assert await room(shop, concert.id) == DEFAULTS | EMPTY


async def test_a_room_is_as_it_was_set(shop: Shop) -> None:
    concert = await shop.on_sale(waitingRoom=SETTINGS)
    assert await room(shop, concert.id) == SETTINGS | EMPTY


async def test_what_is_not_given_is_as_usual(shop: Shop) -> None:
    concert = await shop.on_sale(waitingRoom={"suspended": False, "totalActiveUsers": None})
    assert await room(shop, concert.id) == DEFAULTS | {"suspended": False} | EMPTY


@pytest.mark.parametrize("setting", list(SETTINGS))
async def test_a_change_of_one_setting_leaves_the_others(shop: Shop, setting: str) -> None:
    concert = await shop.on_sale(waitingRoom=SETTINGS)
    value = False if setting == "suspended" else 99
    wish = {"concertId": concert.id, "waitingRoom": {setting: value}}
    changed = (await shop.fields(UPDATE, by="olivia", input=wish))["updateConcert"]
    assert changed["concert"] == {"version": 3, "waitingRoom": {"suspended": setting != "suspended"}}
    assert await room(shop, concert.id) == SETTINGS | {setting: value} | EMPTY


async def test_a_change_of_something_else_leaves_the_room(shop: Shop) -> None:
    concert = await shop.on_sale(waitingRoom=SETTINGS)
    await shop.fields(UPDATE, by="olivia", input={"concertId": concert.id, "name": "Other", "waitingRoom": None})
    assert await room(shop, concert.id) == SETTINGS | EMPTY


@pytest.mark.parametrize("setting", [name for name in SETTINGS if name != "suspended"])
@pytest.mark.parametrize("value", [0, -1, 2_000_000])
async def test_a_setting_out_of_bounds_is_refused(shop: Shop, setting: str, value: int) -> None:
    wish = concert_input(waitingRoom={"suspended": False, setting: value})
    answer = (await shop.fields(CREATE, by="olivia", input=wish))["createConcert"]
    assert answer["code"] == "INVALID_INPUT"
    assert [problem["path"] for problem in answer["problems"]] == [f"waitingRoom.{setting}"]
    concert = await shop.on_sale(waitingRoom=SETTINGS)
    changed = await shop.fields(UPDATE, by="olivia", input={"concertId": concert.id, "waitingRoom": {setting: value}})
    assert [problem["path"] for problem in changed["updateConcert"]["problems"]] == [f"waitingRoom.{setting}"]
    assert await room(shop, concert.id) == SETTINGS | EMPTY


async def test_a_change_for_another_version_is_refused(shop: Shop) -> None:
    concert = await shop.on_sale(waitingRoom=SETTINGS)
    wish = {"concertId": concert.id, "expectedVersion": 1, "waitingRoom": {"suspended": True}}
    answer = (await shop.fields(UPDATE, by="olivia", input=wish))["updateConcert"]
    assert (answer["__typename"], answer["version"]) == ("VersionConflictError", 2)
    assert await room(shop, concert.id) == SETTINGS | EMPTY


async def test_changes_of_several_organizers_at_once_undo_none_of_each_other(shop: Shop) -> None:
    concert = await shop.on_sale(waitingRoom=SETTINGS)

    async def change(setting: str) -> bool:
        wish = {"concertId": concert.id, "waitingRoom": {setting: 99}}
        answer = (await shop.fields(UPDATE, by="olivia", input=wish))["updateConcert"]
        assert answer["__typename"] in ("UpdateConcertSuccess", "VersionConflictError")
        return bool(answer["__typename"] == "UpdateConcertSuccess")

    settings = [name for name in SETTINGS if name != "suspended"]
    changed = await asyncio.gather(*map(change, settings))
    assert any(changed)
    made = {setting: 99 for setting, is_made in zip(settings, changed, strict=True) if is_made}
    assert await room(shop, concert.id) == SETTINGS | made | EMPTY


async def test_a_concert_that_is_not_there_has_no_room(shop: Shop) -> None:
    unknown = "Q29uY2VydDp6enp6enp6enp6eno"
    assert await room(shop, unknown) is None
    assert await room(shop, (await shop.draft(waitingRoom=SETTINGS)).id) is None
    wish = {"concertId": unknown, "waitingRoom": {"suspended": False}}
    assert (await shop.fields(UPDATE, by="olivia", input=wish))["updateConcert"]["code"] == "NOT_FOUND"


async def test_a_bad_id_is_the_askers_mistake(shop: Shop) -> None:
    answer = await shop.ask(ROOM, id="nonsense")
    assert answer["data"] == {"waitingRoom": None}
    assert answer["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT"
