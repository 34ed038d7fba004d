"""Resolvers for the waiting room fields, and the organizer commands for a waiting room.

MongoDB owns the settings. A change is one write to MongoDB, together with its audit row, and is
then synced to the hot state. The hot state owns manual admissions; their audit rows are inserted
first and completed with the result. A request that repeats an idempotency key finds the existing
audit row, so no command is carried out twice.
"""

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from itertools import chain
from typing import TypeVar

from domain.concerts import Concert, ConcertStatus
from domain.errors import IdempotencyConflict, IllegalTransition, RoomNotOpen
from domain.ids import ConcertId, fingerprint
from domain.inputs.rooms import call_problems, room_problems
from domain.page import Page, PageRequest
from domain.queues import RoomStatus, WaitingRoom, begin_round
from domain.room_audits import AdmissionLimit, ManualAdmission, RoomAction, RoomAudit, RoomCommand
from domain.room_changes import RoomSettingsPatch
from domain.text.cleaning import clean_patch
from domain.validation import key_problems, raise_problems
from resolvers.concert_updates import change_concert, get_organized, make_command
from resolvers.concerts import load_concert
from resolvers.context import Context
from resolvers.history import build_past_room, is_past
from resolvers.load_once import NowOrLater
from resolvers.wait_tables import build_waiting_room
from storage.hot.queue_state import RoomState
from storage.mongo.room_audits import AlreadyDone

Shown = TypeVar("Shown")


async def get_waiting_room(context: Context, concert_id: ConcertId) -> WaitingRoom | None:
    """Return the waiting room, or None for a concert that the viewer may not see."""
    concert = await load_concert(context, concert_id)
    if concert is None:
        return None
    if concert.status is ConcertStatus.DRAFT:
        status = RoomStatus.SUSPENDED if concert.room.suspended else RoomStatus.SCHEDULED
        return build_waiting_room(concert, RoomState.empty(status))
    if is_past(concert):
        return build_past_room(concert)
    return build_waiting_room(concert, await context.stores.queues.read_room(concert_id))


async def load_waiting_room(context: Context, concert_id: ConcertId) -> WaitingRoom | None:
    """Return the waiting room, read once per request. Raises TemporarilyUnavailable."""
    return await context.rooms.get(concert_id, partial(get_waiting_room, context, concert_id))


def show_waiting_room(
    context: Context, concert_id: ConcertId, show: Callable[[WaitingRoom | None], Shown]
) -> NowOrLater[Shown]:
    """Return `show(room)`, without waiting if the room is loaded."""
    return context.rooms.get_now_or_later(concert_id, partial(get_waiting_room, context, concert_id), show)


async def load_waiting_rooms(context: Context, concert_ids: Iterable[ConcertId]) -> None:
    """Load the rooms of these concerts in one round trip."""
    await context.rooms.load_all({id_: partial(get_waiting_room, context, id_) for id_ in concert_ids})


async def configure(
    context: Context, concert_id: ConcertId, change: RoomSettingsPatch, *, expected_version: int | None
) -> Concert:
    """Change the settings and return the concert.

    Raises VersionConflict if `expected_version` is given and is not the version of the settings.
    """
    return await _change(context, concert_id, change, make_command(context), expected_version=expected_version)


async def pause(context: Context, concert_id: ConcertId) -> Concert:
    """Pause the room, so that people are called only manually. Entries are kept. Repeating the
    command has no effect.
    """
    return await _change(
        context, concert_id, RoomSettingsPatch((("queue_all", True),)), make_command(context, RoomAction.PAUSED)
    )


async def resume(context: Context, concert_id: ConcertId) -> Concert:
    return await _change(
        context, concert_id, RoomSettingsPatch((("queue_all", False),)), make_command(context, RoomAction.RESUMED)
    )


async def reset(context: Context, concert_id: ConcertId, change: RoomSettingsPatch, idempotency_key: str) -> Concert:
    """Start a new round with an empty queue. People who were already called keep their turn.

    `change` may contain settings that an opened queue cannot change.
    """
    raise_problems(key_problems(idempotency_key))
    digest = fingerprint(*change.fingerprint_parts())
    command = _make_keyed_command(context, RoomAction.RESET, concert_id, idempotency_key, digest)
    if await _find_audit(context, command):
        return await get_organized(context, concert_id)
    try:
        return await _change(context, concert_id, change, command)
    except AlreadyDone:
        await _find_audit(context, command)
        return await get_organized(context, concert_id)


async def admit_next(context: Context, concert_id: ConcertId, count: int, idempotency_key: str) -> ManualAdmission:
    """Call up to `count` people within both caps, even while the room is paused.

    Raises RoomNotOpen if the room cannot call people.
    """
    raise_problems(chain(key_problems(idempotency_key), call_problems(count)))
    concert = await get_organized(context, concert_id)
    if concert.status is ConcertStatus.DRAFT:
        raise IllegalTransition(concert_id, concert.status, "entered", of_room=True)
    command = _make_keyed_command(
        context, RoomAction.ADMITTED_NEXT, concert_id, idempotency_key, fingerprint(str(count))
    )
    return await context.stores.detached_tasks.run(_admit(context, concert, count, command))


async def page_audits(context: Context, concert_id: ConcertId, request: PageRequest) -> Page[RoomAudit]:
    """Return one page of audit rows, newest first."""
    return await context.stores.room_audits.page(concert_id, request)


async def _change(
    context: Context,
    concert_id: ConcertId,
    change: RoomSettingsPatch,
    command: RoomCommand,
    *,
    expected_version: int | None = None,
) -> Concert:
    """Apply the change and return the concert. Writes nothing if the change has no effect."""
    apply = partial(_apply, clean_patch(change), command.action)
    return await change_concert(
        context, concert_id, apply, command, expected_version=expected_version, of_settings=True
    )


def _apply(change: RoomSettingsPatch, action: RoomAction, before: Concert) -> Concert:
    """Return the changed concert.

    Raises InvalidInput, and IllegalTransition if the concert is closed or canceled, or if the
    action resets a draft, which has no queue.
    """
    is_reset = action is RoomAction.RESET
    is_over = before.status in (ConcertStatus.CLOSED, ConcertStatus.CANCELLED)
    if is_over or (is_reset and before.status is ConcertStatus.DRAFT):
        raise IllegalTransition(before.id, before.status, action.lower(), of_room=True)
    room = change.apply_to(before.room)
    after = replace(before, room=begin_round(room) if is_reset else room)
    if after != before:
        raise_problems(room_problems("settings", after, before=before))
    return after


async def _admit(context: Context, concert: Concert, count: int, command: RoomCommand) -> ManualAdmission:
    """Insert the audit row before the first call, so every call has a row."""
    stores = context.stores
    await stores.room_audits.insert(_audit(concert, command, ManualAdmission(count, None, None)))
    row = await _find_audit(context, command)
    if row is not None and row.manual_admission is not None and row.manual_admission.called is not None:
        return row.manual_admission
    try:
        if is_past(concert):
            raise RoomNotOpen(concert.id, RoomStatus.CLOSED)
        called = await stores.queues.admit_next(concert.id, command_key=command.id, digest=command.digest, count=count)
    except RoomNotOpen:
        await stores.room_audits.delete(command.id)
        raise
    limit = _limit(concert, await stores.queues.read_room(concert.id)) if called < count else None
    call = ManualAdmission(count, called, limit)
    await stores.room_audits.complete(_audit(concert, command, call))
    return call


def _limit(concert: Concert, state: RoomState) -> AdmissionLimit:
    if state.waiting_count == 0:
        return AdmissionLimit.NOBODY_WAITS
    if state.slots_taken >= concert.room.total_active_users:
        return AdmissionLimit.TOTAL_ACTIVE_USERS
    return AdmissionLimit.NEW_USERS_PER_MINUTE


def _audit(concert: Concert, command: RoomCommand, call: ManualAdmission) -> RoomAudit:
    room = concert.room
    return RoomAudit(
        concert.id, datetime.now(UTC), command, settings_version=room.version, round=room.round, manual_admission=call
    )


def _make_keyed_command(
    context: Context, action: RoomAction, concert_id: ConcertId, key: str, digest: str
) -> RoomCommand:
    id_ = fingerprint(context.signed_in().person_id, concert_id, action, key)
    return make_command(context, action, id_=id_, digest=digest)


async def _find_audit(context: Context, command: RoomCommand) -> RoomAudit | None:
    """Return the audit row of a command that ran under this key.

    Raises IdempotencyConflict if the row belongs to a different request.
    """
    row = await context.stores.room_audits.get(command.id)
    if row is not None and row.command.digest != command.digest:
        raise IdempotencyConflict
    return row
