"""The steps of every change to a concert: read it, write it once with its audit row, and sync the
hot state.
"""

import asyncio
import logging
import random
import secrets
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from domain.concerts import Concert, ConcertStatus
from domain.errors import NotFound, QueueOpened, TemporarilyUnavailable, VersionConflict, describe_cause
from domain.ids import ConcertId
from domain.queues import begin_round
from domain.room_audits import RoomAction, RoomCommand
from resolvers.context import Context
from resolvers.history import is_past
from resolvers.permissions import require_organizer

log = logging.getLogger(__name__)

MAX_ATTEMPTS = 10
"""The maximum number of attempts to make a change. If changes to a concert compete, one of them
succeeds in each round of attempts.
"""
RETRY_PAUSE_S = 0.02
"""Multiplied by the number of attempts so far, with jitter.

All attempts together take about a second.
"""
MAX_WRITE_TIME = timedelta(seconds=10)
"""The database refuses a change that takes longer than this."""


async def get_organized(context: Context, concert_id: ConcertId) -> Concert:
    """Return the concert, even a draft, to its organizer or an admin.

    Raises NotFound or Forbidden.
    """
    concert = await context.stores.concerts.get(concert_id)
    if concert is None:
        raise NotFound("Concert", concert_id)
    require_organizer(context, concert)
    return concert


def make_command(
    context: Context, action: RoomAction = RoomAction.CONFIGURED, *, id_: str | None = None, digest: str = ""
) -> RoomCommand:
    viewer = context.signed_in()
    return RoomCommand(id_ or secrets.token_hex(16), viewer.person_id, viewer.name, action, digest)


async def change_concert(
    context: Context,
    concert_id: ConcertId,
    change: Callable[[Concert], Concert],
    command: RoomCommand,
    *,
    expected_version: int | None = None,
    of_settings: bool = False,
) -> Concert:
    """Apply `change` to the stored concert, and save and return the result. Write nothing if the
    change has no effect.

    After a lost race, `change` is called again with the version that won. Raises VersionConflict if
    `expected_version` is given and is not the version of the concert (or, if `of_settings` is true,
    of its room settings); if it is not given, only after ten lost races. Also raises NotFound,
    Forbidden, QueueOpened, CapacityInUse, AlreadyDone, and whatever `change` raises.

    The viewer's rights are checked against the version that the write replaces, so an organizer who
    loses the concert in the meantime changes nothing.
    """
    for attempt in range(MAX_ATTEMPTS):
        before = await get_organized(context, concert_id)
        version = before.room.version if of_settings else before.version
        if expected_version not in (None, version):
            raise VersionConflict(concert_id, version, of_settings=of_settings)
        after = change(before)
        if after == before:
            return before
        try:
            return await save_concert(context, before, after, command)
        except VersionConflict:
            # Another change came first, possibly one that did not affect the room.
            await pause_before_retry(attempt)
    raise VersionConflict(concert_id, version, of_settings=of_settings, is_retryable=expected_version is None)


async def save_concert(context: Context, before: Concert, after: Concert, command: RoomCommand) -> Concert:
    """Save `after` as the next version and return it.

    Raises VersionConflict, QueueOpened, CapacityInUse or AlreadyDone without changing anything.
    """
    after = await _with_round_of_new_sale(context, before, after)
    await _raise_if_opened(context, before, after)
    after = replace(after, version=before.version + 1)
    written = await context.stores.detached_tasks.run(context.stores.concert_writer.save(before, after, command))
    context.stores.concert_cache.put(written)
    if before.status is not ConcertStatus.DRAFT:
        await _sync(context, written, was_past=is_past(before) and not is_past(written))
    return written


async def _sync(context: Context, concert: Concert, *, was_past: bool) -> None:
    """Sync the hot store with the change recorded in MongoDB.

    If that fails, the apply worker syncs it later. If `was_past` is true, the concert has no
    hot state, so a recovery creates it as for a new concert.
    """
    try:
        if was_past:
            await context.stores.recovery.ensure(concert.id)
            return
        await context.stores.concert_writer.sync(concert)
    except TemporarilyUnavailable as error:
        log_postponed(context, f"concert {concert.id} is not copied to the hot state yet", error)


def log_postponed(context: Context, what: str, error: TemporarilyUnavailable) -> None:
    """Log a store failure that does not fail the request, because a worker will repeat the step."""
    log.warning("request %s: %s: %s", context.request_id, what, describe_cause(error))


async def pause_before_retry(attempt: int) -> None:
    """Pause after losing a race, longer each time.

    A majority read may not show the winner's change immediately.
    """
    await asyncio.sleep(random.uniform(0.5, 1.5) * RETRY_PAUSE_S * attempt)  # noqa: S311


async def _with_round_of_new_sale(context: Context, before: Concert, after: Concert) -> Concert:
    """Return the concert, with a new round if the change reopens a sale that was over.

    The hot state decides whether the sale was over, because it ended the entries by its own clock.
    A past concert is no longer in the hot state; its sale was over.
    """
    is_extended = after.terms.sales_end_at > before.terms.sales_end_at
    is_ending = before.status is ConcertStatus.PUBLISHED and _is_past(before.terms.sales_end_at - MAX_WRITE_TIME)
    if not is_extended or not is_ending or after.room.round != before.room.round:
        return after
    if not is_past(before) and not (await context.stores.queues.read_queue(before.id)).is_over:
        return after
    return replace(after, room=begin_round(after.room))


async def _raise_if_opened(context: Context, before: Concert, after: Concert) -> None:
    """Raise QueueOpened if the change would alter numbers that people have already seen.

    Once a queue has opened, its lottery cannot be turned on or off, and its opening cannot be
    postponed. The queue of a past concert has expired, and its next queue is a new round.
    """
    settings = () if is_past(before) else _fixed_settings_changed(before, after)
    if not settings or before.status is ConcertStatus.DRAFT or after.room.round != before.room.round:
        return
    state = await context.stores.queues.read_queue(before.id)
    # A queue whose opening time has passed may open, or its lottery may be drawn, before this write
    # ends, and the write would then change its numbers.
    if (state.is_opened or _is_past(before.room_opens_at - MAX_WRITE_TIME)) and state.round == before.room.round:
        raise QueueOpened(before.id, settings)


def _is_past(moment: datetime) -> bool:
    return moment <= datetime.now(UTC)


def _fixed_settings_changed(before: Concert, after: Concert) -> tuple[str, ...]:
    """Return the changed settings that cannot change after the queue has opened."""
    found = []
    if after.room.shuffle_at_start != before.room.shuffle_at_start:
        found.append("shuffleAtStart")
    is_in_use = before.room.is_on or after.room.is_on or after.room.opens_at != before.room.opens_at
    opens_at = after.room_opens_at
    if is_in_use and opens_at > before.room_opens_at and not _is_past(opens_at):
        found.append("opensAt")
    return tuple(found)
