"""Updates to a concert: an update without changes keeps the version, and a lost race is retried."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from domain.concerts import Concert, ConcertChange, ConcertStatus, TierChange, VenueChange
from domain.errors import TemporarilyUnavailable, VersionConflict
from domain.room_changes import RoomSettingsPatch
from resolvers import concert_updates, concerts, rooms
from schema import Operation, execute
from schema.ids import of_concert
from storage.connect import Stores
from tests.support.sale import draft, on_sale, organizer

UPDATE = """mutation ($input: UpdateConcertInput!) {
  updateConcert(input: $input) {
    __typename
    ... on UpdateConcertSuccess { concert { name version tiers { name } } }
    ... on DomainError { retryable retryAfterSeconds }
    ... on VersionConflictError { version }
  }
}"""


async def update(stores: Stores, concert: Concert, **changes: Any) -> Any:
    input_ = {"concertId": of_concert(concert.id), **changes}
    payload = (await execute(Operation(UPDATE, {"input": input_}, None), organizer(stores))).payload
    assert "errors" not in payload, payload
    data: Any = payload["data"]
    return data["updateConcert"]


async def stored(stores: Stores, concert: Concert) -> Concert:
    found = await stores.concerts.get(concert.id)
    assert found is not None
    return found


@pytest.fixture
def skipped_pauses(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Skip the pauses before retries. Return the attempt numbers passed to them."""
    attempts: list[int] = []

    async def pause(attempt: int) -> None:
        attempts.append(attempt)

    monkeypatch.setattr(concert_updates, "pause_before_retry", pause)
    return attempts


@pytest.fixture
def lost_races(monkeypatch: pytest.MonkeyPatch) -> None:
    async def lose(_: object, before: Concert, *__: object) -> Concert:
        raise VersionConflict(before.id, before.version + 1)

    monkeypatch.setattr(concert_updates, "save_concert", lose)


async def test_update_without_changes_keeps_the_version(stores: Stores) -> None:
    concert = await on_sale(stores, 5)
    terms = concert.terms
    same = ConcertChange(
        name=f" {terms.name} ",
        venue=VenueChange(terms.venue.name, time_zone=terms.venue.time_zone),
        description=terms.description,
        limit_per_order=terms.limit_per_order,
        tiers=(TierChange(concert.tiers[0].id, name=concert.tiers[0].name, capacity=5),),
        room=RoomSettingsPatch((("suspended", concert.room.suspended),)),
    )
    for change in (same, ConcertChange()):
        for version in (None, concert.version):
            answer = await concerts.update_concert(organizer(stores), concert.id, change, expected_version=version)
            assert answer == concert
    assert await stored(stores, concert) == concert
    with pytest.raises(VersionConflict):
        await concerts.update_concert(organizer(stores), concert.id, same, expected_version=concert.version - 1)


async def test_null_leaves_every_field_unchanged(stores: Stores) -> None:
    concert = await on_sale(stores, 5)
    optional = (
        "expectedVersion", "name", "venue", "description", "startsAt", "salesStartAt", "salesEndAt", "limitPerOrder",
        "limitPerPerson", "holdDurationSeconds", "paymentDurationSeconds", "refundsUntil", "waitingRoom", "tiers",
        "newTiers",
    )  # fmt: skip
    answer = await update(stores, concert, **dict.fromkeys(optional))
    assert (answer["__typename"], answer["concert"]["version"]) == ("UpdateConcertSuccess", concert.version)
    assert await stored(stores, concert) == concert


async def test_concurrent_updates_without_expected_version_all_succeed(stores: Stores) -> None:
    concert = await on_sale(stores, 5)
    names = [f"Name {number}" for number in range(6)]
    answers = await asyncio.gather(*[update(stores, concert, name=name) for name in names])
    assert [answer["__typename"] for answer in answers] == ["UpdateConcertSuccess"] * 6
    assert sorted(answer["concert"]["name"] for answer in answers) == names
    assert sorted(answer["concert"]["version"] for answer in answers) == list(range(3, 9))
    assert (await stored(stores, concert)).version == concert.version + 6


async def test_concurrent_changes_to_different_fields_are_all_kept(stores: Stores) -> None:
    concert = await on_sale(stores, 5)
    changes: list[dict[str, Any]] = [
        {"name": "New name"},
        {"description": "New words"},
        {"limitPerOrder": 3},
        {"waitingRoom": {"message": "Soon"}},
        {"waitingRoom": {"totalActiveUsers": 7}},
    ]
    await asyncio.gather(*[update(stores, concert, **change) for change in changes])
    after = await stored(stores, concert)
    assert (after.terms.name, after.terms.description, after.terms.limit_per_order) == ("New name", "New words", 3)
    assert (after.room.message, after.room.total_active_users) == ("Soon", 7)


@pytest.mark.usefixtures("lost_races")
async def test_update_gets_a_retryable_refusal_after_ten_lost_races(stores: Stores, skipped_pauses: list[int]) -> None:
    concert = await on_sale_despite_races(stores)
    answer = await update(stores, concert, name="Other")
    assert answer == {"__typename": "VersionConflictError", "retryable": True, "retryAfterSeconds": 1, "version": 2}
    assert skipped_pauses == list(range(concert_updates.MAX_ATTEMPTS)) == list(range(10))
    skipped_pauses.clear()
    answer = await update(stores, concert, name="Other", expectedVersion=2)
    assert (answer["__typename"], answer["retryable"]) == ("VersionConflictError", False)
    assert await stored(stores, concert) == concert


@pytest.mark.usefixtures("lost_races")
async def test_other_changes_are_also_retryable_after_ten_lost_races(stores: Stores, skipped_pauses: list[int]) -> None:
    concert = await on_sale_despite_races(stores)
    change = RoomSettingsPatch((("total_active_users", 7),))
    for changing in (
        concerts.close_concert(organizer(stores), concert.id),
        rooms.configure(organizer(stores), concert.id, change, expected_version=None),
    ):
        with pytest.raises(VersionConflict) as refused:
            await changing
        assert (refused.value.retryable, refused.value.retry_after_s) == (True, 1)
    assert len(skipped_pauses) == 20
    with pytest.raises(VersionConflict) as refused:
        await rooms.configure(organizer(stores), concert.id, change, expected_version=concert.room.version + 1)
    assert not refused.value.retryable


async def on_sale_despite_races(stores: Stores) -> Concert:
    """Publish a concert through the stores, because the resolvers lose every race."""
    made = await concerts.create_concert(organizer(stores), draft(5))
    published = replace(made, status=ConcertStatus.PUBLISHED, version=2)
    await stores.concert_writer.save(made, published, concert_updates.make_command(organizer(stores)))
    await stores.recovery.ensure(made.id)
    return await stored(stores, made)


async def test_failure_to_sync_a_change_to_the_hot_store_is_logged(
    stores: Stores, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    concert = await on_sale(stores, 5)

    async def unavailable(*_: object) -> None:
        raise TemporarilyUnavailable("The store is unavailable") from OSError("no route")

    monkeypatch.setattr(stores.concert_writer, "sync", unavailable)
    answer = await update(stores, concert, name="Other")
    assert answer["__typename"] == "UpdateConcertSuccess"
    (line,) = [record.getMessage() for record in caplog.records if "test-request" in record.getMessage()]
    assert "OSError: no route" in line
