"""The settings of a waiting room: how organizers set them, and how they are shown."""

import asyncio

import pytest

from tests.support.room_admin import SETTINGS as FIELDS
from tests.support.room_admin import soon
from tests.support.shop import CREATE, PUBLISH, Answer, Shop, concert_input
from tests.support.shop_mutations import UNKNOWN_CONCERT

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
ROOM = f"""query ($id: ID!) {{
  waitingRoom(concertId: $id) {{ {FIELDS} settingsVersion round servingNumber waitingCount slotsTaken passesIssued }}
}}"""
DEFAULTS: dict[str, object] = {
    "suspended": True,
    "queueingMethod": "FIFO",
    "totalActiveUsers": 1000,
    "newUsersPerMinute": 600,
    "passClaimTimeoutSeconds": 60,
    "sessionDurationSeconds": 300,
    "prequeueStartsAt": None,
    "shuffleAtStart": False,
    "queueAll": False,
    "heartbeatTimeoutSeconds": 90,
    "disconnectGraceSeconds": 60,
    "message": "",
}
EMPTY = {"round": 1, "servingNumber": 0, "waitingCount": 0, "slotsTaken": 0, "passesIssued": 0}
NUMBERS = {
    "totalActiveUsers": 20,
    "newUsersPerMinute": 300,
    "passClaimTimeoutSeconds": 10,
    "sessionDurationSeconds": 120,
    "heartbeatTimeoutSeconds": 5,
    "disconnectGraceSeconds": 7,
}
SETTINGS: dict[str, object] = NUMBERS | {
    "suspended": False,
    "queueingMethod": "FIFO",
    "prequeueStartsAt": soon(hours=24),
    "opensAt": soon(hours=48),
    "shuffleAtStart": False,
    "queueAll": False,
    "message": "Doors at eight",
}
OTHERS: dict[str, object] = dict.fromkeys(NUMBERS, 99) | {
    "suspended": True,
    "queueingMethod": "RANDOM",
    "prequeueStartsAt": None,
    "opensAt": soon(hours=72),
    "shuffleAtStart": True,
    "queueAll": True,
    "message": "",
}
CREATED = """mutation ($input: CreateConcertInput!) {
  createConcert(input: $input) { ... on CreateConcertSuccess { concert { id salesStartAt } } }
}"""


async def room(shop: Shop, concert_id: str, *, by: str | None = None) -> Answer:
    return (await shop.fields(ROOM, by=by, id=concert_id))["waitingRoom"]


def expected_room(settings: dict[str, object], *, version: int = 1) -> dict[str, object]:
    return settings | EMPTY | {"settingsVersion": version}


async def test_room_of_a_new_concert_is_off_with_default_settings(shop: Shop) -> None:
    concert = (await shop.fields(CREATED, by="olivia", input=concert_input()))["createConcert"]["concert"]
    # By default, a room opens when the sale starts.
    default = expected_room(DEFAULTS | {"opensAt": concert["salesStartAt"]})
    assert await room(shop, concert["id"], by="olivia") == default
    await shop.fields(PUBLISH, by="olivia", input={"concertId": concert["id"]})
    assert await room(shop, concert["id"]) == default


async def test_room_has_the_given_settings(shop: Shop) -> None:
    concert = await shop.on_sale(waitingRoom=SETTINGS)
    assert await room(shop, concert.id) == expected_room(SETTINGS)


async def test_missing_settings_get_their_default_values(shop: Shop) -> None:
    given = {"suspended": False, "totalActiveUsers": None, "opensAt": soon(hours=1)}
    concert = await shop.on_sale(waitingRoom=given)
    assert await room(shop, concert.id) == expected_room(DEFAULTS | {"suspended": False, "opensAt": given["opensAt"]})


@pytest.mark.parametrize("setting", list(SETTINGS))
async def test_change_to_one_setting_keeps_the_others(shop: Shop, setting: str) -> None:
    concert = await shop.on_sale(waitingRoom=SETTINGS)
    value = OTHERS[setting]
    input_ = {"concertId": concert.id, "waitingRoom": {setting: value}}
    changed = (await shop.fields(UPDATE, by="olivia", input=input_))["updateConcert"]
    assert changed["concert"] == {"version": 3, "waitingRoom": {"suspended": setting == "suspended"}}
    assert await room(shop, concert.id) == expected_room(SETTINGS | {setting: value}, version=2)


async def test_change_to_the_concert_keeps_the_room(shop: Shop) -> None:
    concert = await shop.on_sale(waitingRoom=SETTINGS)
    await shop.fields(UPDATE, by="olivia", input={"concertId": concert.id, "name": "Other", "waitingRoom": None})
    assert await room(shop, concert.id) == expected_room(SETTINGS)


@pytest.mark.parametrize("setting", list(NUMBERS))
@pytest.mark.parametrize("value", [0, -1, 2_000_000])
async def test_setting_out_of_bounds_is_refused(shop: Shop, setting: str, value: int) -> None:
    input_ = concert_input(waitingRoom={"suspended": False, setting: value})
    answer = (await shop.fields(CREATE, by="olivia", input=input_))["createConcert"]
    assert answer["code"] == "INVALID_INPUT"
    assert [problem["path"] for problem in answer["problems"]] == [f"waitingRoom.{setting}"]
    concert = await shop.on_sale(waitingRoom=SETTINGS)
    changed = await shop.fields(UPDATE, by="olivia", input={"concertId": concert.id, "waitingRoom": {setting: value}})
    assert [problem["path"] for problem in changed["updateConcert"]["problems"]] == [f"waitingRoom.{setting}"]
    assert await room(shop, concert.id) == expected_room(SETTINGS)


async def test_change_based_on_an_old_version_is_refused(shop: Shop) -> None:
    concert = await shop.on_sale(waitingRoom=SETTINGS)
    input_ = {"concertId": concert.id, "expectedVersion": 1, "waitingRoom": {"suspended": True}}
    answer = (await shop.fields(UPDATE, by="olivia", input=input_))["updateConcert"]
    assert (answer["__typename"], answer["version"]) == ("VersionConflictError", 2)
    assert await room(shop, concert.id) == expected_room(SETTINGS)


async def test_concurrent_changes_do_not_undo_each_other(shop: Shop) -> None:
    concert = await shop.on_sale(waitingRoom=SETTINGS)

    async def change(setting: str) -> bool:
        input_ = {"concertId": concert.id, "waitingRoom": {setting: 99}}
        answer = (await shop.fields(UPDATE, by="olivia", input=input_))["updateConcert"]
        assert answer["__typename"] in ("UpdateConcertSuccess", "VersionConflictError")
        return bool(answer["__typename"] == "UpdateConcertSuccess")

    changed = await asyncio.gather(*map(change, NUMBERS))
    assert any(changed)
    made = {setting: 99 for setting, is_made in zip(NUMBERS, changed, strict=True) if is_made}
    assert await room(shop, concert.id) == expected_room(SETTINGS | made, version=1 + sum(changed))


async def test_unknown_or_unpublished_concert_has_no_room(shop: Shop) -> None:
    assert await room(shop, UNKNOWN_CONCERT) is None
    assert await room(shop, (await shop.draft(waitingRoom=SETTINGS)).id) is None
    input_ = {"concertId": UNKNOWN_CONCERT, "waitingRoom": {"suspended": False}}
    assert (await shop.fields(UPDATE, by="olivia", input=input_))["updateConcert"]["code"] == "NOT_FOUND"


async def test_malformed_id_causes_a_user_input_error(shop: Shop) -> None:
    answer = await shop.ask(ROOM, id="nonsense")
    assert answer["data"] == {"waitingRoom": None}
    assert answer["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT"
