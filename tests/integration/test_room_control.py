"""Room changes and manual calls are applied and audited once, even if a store fails midway."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from domain.concerts import Concert, ConcertChange
from domain.errors import TemporarilyUnavailable, VersionConflict
from domain.page import PageRequest
from domain.queues import EntryState, RoomStatus
from domain.room_audits import AdmissionLimit, ManualAdmission, RoomAction, RoomAudit
from domain.room_changes import RoomSettingsPatch, SettingChange
from resolvers import concerts, rooms
from storage.connect import Stores
from storage.mongo.room_audits import AlreadyDone
from tests.support.queue_steps import join, states, with_room
from tests.support.sale import key, organizer
from workers.apply import ApplyWorker


async def rows(stores: Stores, concert: Concert) -> list[RoomAudit]:
    """Return the audit rows, oldest first."""
    page = await stores.room_audits.page(concert.id, PageRequest(100))
    return [*reversed(page.items)]


async def stored(stores: Stores, concert: Concert) -> Concert:
    found = await stores.concerts.get(concert.id)
    assert found is not None
    return found


async def unavailable(*_: object, **__: object) -> Any:
    raise TemporarilyUnavailable("The store does not answer")


async def test_only_room_changes_have_audit_rows(stores: Stores) -> None:
    concert = await with_room(stores)
    change = ConcertChange(name="Other", room=RoomSettingsPatch((("total_active_users", 7),)))
    written = await concerts.update_concert(organizer(stores), concert.id, change, expected_version=None)
    await concerts.update_concert(organizer(stores), concert.id, ConcertChange(name="Another"), expected_version=None)
    await concerts.close_concert(organizer(stores), concert.id)
    assert (written.version, written.room.version) == (3, 2)
    after = await stored(stores, concert)
    assert (after.version, after.room) == (5, written.room)
    (row,) = await rows(stores, concert)
    assert (row.command.person_name, row.command.action, row.settings_version) == ("olivia", RoomAction.CONFIGURED, 2)
    assert row.changes == (SettingChange("totalActiveUsers", "2", "7"),)


async def test_change_is_rolled_back_if_its_audit_row_is_refused(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    concert = await with_room(stores)

    async def refuse(*_: object) -> None:
        raise AlreadyDone("another request has done this")

    with monkeypatch.context() as patched:
        patched.setattr(stores.room_audits, "insert_in_transaction", refuse)
        with pytest.raises(AlreadyDone):
            await rooms.pause(organizer(stores), concert.id)
    assert await stored(stores, concert) == concert
    assert (await stores.queues.read_queue(concert.id)).status is RoomStatus.OPEN
    await rooms.pause(organizer(stores), concert.id)
    assert (await stored(stores, concert)).room == replace(concert.room, queue_all=True, version=2)


async def test_change_missed_by_the_hot_store_is_applied_later(stores: Stores, monkeypatch: pytest.MonkeyPatch) -> None:
    concert = await with_room(stores)
    await join(stores, concert, "ann")
    with monkeypatch.context() as patched:
        patched.setattr(stores.concert_writer, "sync", unavailable)
        paused = await rooms.pause(organizer(stores), concert.id)
        was_reset = await rooms.reset(organizer(stores), concert.id, RoomSettingsPatch(), key())
    assert (paused.room.queue_all, was_reset.room.round) == (True, 2)
    assert await states(stores, concert, "ann") == [EntryState.WAITING]
    assert (await stores.queues.read_queue(concert.id)).status is RoomStatus.OPEN
    assert [await ApplyWorker().run_once(stores), await ApplyWorker().run_once(stores)] == [1, 0]
    assert await states(stores, concert, "ann") == [EntryState.EXPIRED]
    queue = await stores.queues.read_queue(concert.id)
    assert (queue.status, queue.round) == (RoomStatus.PAUSED, 2)
    assert [row.command.action for row in await rows(stores, concert)] == [RoomAction.PAUSED, RoomAction.RESET]


async def test_repeated_manual_call_returns_the_lost_result(stores: Stores, monkeypatch: pytest.MonkeyPatch) -> None:
    concert = await with_room(stores, queue_all=True)
    await join(stores, concert, "ann", "ben", "cat")
    idempotency_key = key()
    with monkeypatch.context() as patched:
        patched.setattr(stores.room_audits, "insert", unavailable)
        with pytest.raises(TemporarilyUnavailable):
            await rooms.admit_next(organizer(stores), concert.id, 2, idempotency_key)
    assert await rows(stores, concert) == []
    assert await rooms.admit_next(organizer(stores), concert.id, 2, idempotency_key) == ManualAdmission(2, 2, None)
    assert await states(stores, concert, "ann", "ben", "cat") == [
        EntryState.READY,
        EntryState.READY,
        EntryState.WAITING,
    ]
    assert [row.manual_admission for row in await rows(stores, concert)] == [ManualAdmission(2, 2, None)]


async def test_reused_key_calls_no_one_after_the_store_has_lost_its_data(stores: Stores) -> None:
    concert = await with_room(stores, queue_all=True)
    await join(stores, concert, "ann")
    idempotency_key = key()
    called = ManualAdmission(5, 1, AdmissionLimit.NOBODY_WAITS)
    assert await rooms.admit_next(organizer(stores), concert.id, 5, idempotency_key) == called
    await stores.script_client.run_command("FLUSHALL")
    await stores.recovery.ensure(concert.id)
    await join(stores, concert, "ben")
    assert await rooms.admit_next(organizer(stores), concert.id, 5, idempotency_key) == called
    assert await states(stores, concert, "ben") == [EntryState.WAITING]
    assert len(await rows(stores, concert)) == 1


async def test_concurrent_changes_to_a_concert_do_not_prevent_a_pause(stores: Stores) -> None:
    concert = await with_room(stores)
    renaming = [
        concerts.update_concert(organizer(stores), concert.id, ConcertChange(name=f"Name {n}"), expected_version=None)
        for n in range(4)
    ]
    pausing = [rooms.pause(organizer(stores), concert.id) for _ in range(3)]
    answers = await asyncio.gather(*pausing, *renaming, return_exceptions=True)
    assert [a.room.version for a in answers[:3] if isinstance(a, Concert)] == [2, 2, 2]
    assert [a for a in answers[3:] if not isinstance(a, Concert | VersionConflict)] == []
    (row,) = await rows(stores, concert)
    assert row.command.action is RoomAction.PAUSED


async def test_change_is_retried_after_a_stale_read(stores: Stores, monkeypatch: pytest.MonkeyPatch) -> None:
    """A transaction may not yet see a version that was read just before it began."""
    concert = await with_room(stores)
    replace_in_transaction, attempts = stores.concerts.replace_in_transaction, []

    async def miss_once(after: Concert, *args: Any, **options: Any) -> Concert | None:
        attempts.append(after.version)
        return await replace_in_transaction(after, *args, **options) if len(attempts) > 1 else None

    monkeypatch.setattr(stores.concerts, "replace_in_transaction", miss_once)
    change = ConcertChange(name="Other")
    changed = await concerts.update_concert(organizer(stores), concert.id, change, expected_version=concert.version)
    assert (changed.terms.name, changed.version, attempts) == ("Other", 3, [3, 3])
