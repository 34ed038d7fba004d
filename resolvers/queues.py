"""Resolvers for the queue fields. They join and leave queues, record heartbeats, claim passes and
read entries.
"""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import TypeVar

from auth.passes import BadPass, PassClaims, PassSigner
from domain.concerts import Concert, ConcertStatus
from domain.errors import Admission, NotAdmitted, NotFound, NotInQueue, RoomNotOpen
from domain.estimates.wait_estimates import NO_ESTIMATE, WaitEstimate, WaitTable
from domain.ids import ConcertId, EntryId, PersonId
from domain.limits.challenges import ChallengeReason, ProofOfWork
from domain.limits.errors import ChallengeRequired
from domain.queues import (
    WAITING_STATES,
    EntryState,
    PassStatus,
    QueueEntry,
    QueueingMethod,
    QueuePass,
    RoomStatus,
)
from resolvers.context import Context
from resolvers.history import is_past, past_raises
from resolvers.load_once import NowOrLater
from storage.hot.hot_state import keys_expire_at
from storage.hot.queues import EntryRecord, PositionedEntry, ProofMissing

Shown = TypeVar("Shown")

_PASS_STATUS = {
    EntryState.ADMITTED: PassStatus.CREATED,
    EntryState.COMPLETED: PassStatus.TRANSACTION_COMPLETE,
    EntryState.LEFT: PassStatus.TRANSACTION_FAILED,
    EntryState.EXPIRED: PassStatus.TOKEN_EXPIRED,
}


async def join_queue(context: Context, concert_id: ConcertId, proof: ProofOfWork | None = None) -> QueueEntry:
    """Join the queue, and return the viewer's new or active entry.

    Raises NotFound, RoomNotOpen, ChallengeRequired or RateLimited.
    """
    person_id = context.signed_in().person_id
    concert = await _find_concert(context, concert_id)
    make_refusal = partial(RoomNotOpen, concert_id, RoomStatus.CLOSED)
    if is_past(concert):
        raise make_refusal()
    bits, challenges = concert.room.proof_of_work_bits, context.passes.challenges
    checked = challenges.check(proof, concert_id, person_id, bits=bits)
    try:
        with past_raises(concert_id, make_refusal):
            joined = await _join(context, concert, person_id, proof_ms=checked.expires_ms)
    except ProofMissing as missing:
        reason = checked.problem or ChallengeReason.USED
        raise ChallengeRequired(reason, challenges.issue(concert_id, person_id, bits)) from missing
    return _show(context, concert, joined)


async def _join(context: Context, concert: Concert, person_id: PersonId, *, proof_ms: int | None) -> PositionedEntry:
    """Join the queue and add the concert to the index.

    The two writes share one round trip; if both go through one pipeline, the index is written
    first. If it cannot be written, the request is refused, and a repeated request writes it again.
    """
    rates, address = context.call_limits.rates.joins, context.address
    join = context.stores.queues.join(concert.id, person_id, rates=rates, address=address, proof_ms=proof_ms)
    if proof_ms == 0:
        # This can only return an active entry. A flood of joins without proofs writes no index.
        joined = await join
        await add_to_index(context, person_id, concert)
        return joined
    _, joined = await asyncio.gather(add_to_index(context, person_id, concert), join)
    return joined


async def leave_queue(context: Context, concert_id: ConcertId) -> QueueEntry:
    concert = await _find_concert(context, concert_id)
    with past_raises(concert_id, NotInQueue):
        left = await context.stores.queues.leave(concert_id, context.signed_in().person_id)
    return _show(context, concert, left)


async def heartbeat(context: Context, concert_id: ConcertId) -> QueueEntry:
    concert = await _find_concert(context, concert_id)
    with past_raises(concert_id, NotInQueue):
        kept = await context.stores.queues.heartbeat(concert_id, context.signed_in().person_id)
    return _show(context, concert, kept)


async def claim_pass(context: Context, concert_id: ConcertId) -> QueueEntry:
    """Return the entry with its pass; claiming again returns the same pass."""
    concert = await _find_concert(context, concert_id)
    with past_raises(concert_id, NotInQueue), hidden_positions(concert):
        claimed = await context.stores.queues.claim(concert_id, context.signed_in().person_id)
    return _show(context, concert, claimed)


async def get_viewer_entry(context: Context, concert_id: ConcertId) -> QueueEntry | None:
    """Return the viewer's latest entry. Raises NotFound for a draft or a past concert."""
    person_id = context.signed_in().person_id
    concert = await _find_concert(context, concert_id)
    with past_raises(concert_id, partial(NotFound, "Concert", concert_id)):
        found = await context.stores.queues.read_position(concert_id, person_id)
    return None if found is None else _show(context, concert, found)


async def list_viewer_entries(context: Context) -> tuple[QueueEntry, ...]:
    """Return the active entries of the viewer, oldest first."""
    concert_ids = await load_viewer_concerts(context)
    found = await asyncio.gather(*[_entry_unless_room_is_off(context, concert_id) for concert_id in concert_ids])
    active = [entry for entry in found if entry is not None and entry.is_active]
    return tuple(sorted(active, key=lambda entry: entry.joined_at))


async def load_viewer_concerts(context: Context) -> tuple[ConcertId, ...]:
    """Return the concerts where the viewer may have an entry or a hold, read once per request."""
    person_id = context.signed_in().person_id
    return await context.viewer_concerts.get(person_id, lambda: context.stores.person_concerts.list(person_id))


def show_viewer_entry(
    context: Context, concert_id: ConcertId, show: Callable[[QueueEntry | None], Shown]
) -> NowOrLater[Shown]:
    """Return `show` of the viewer's latest entry, without waiting if it has been loaded.

    The entry is None for a draft or a past concert.
    """
    return context.viewer_entries.get_now_or_later(concert_id, partial(read_indexed_entry, context, concert_id), show)


async def read_indexed_entry(context: Context, concert_id: ConcertId) -> QueueEntry | None:
    """Return the viewer's latest entry, without a read if the index does not list the concert."""
    if concert_id not in await load_viewer_concerts(context):
        return None
    try:
        return await get_viewer_entry(context, concert_id)
    except NotFound:
        return None


async def add_to_index(context: Context, person_id: PersonId, concert: Concert) -> None:
    """Add the concert to the index that `me` reads.

    Raises TemporarilyUnavailable; the request is then refused.
    """
    await context.stores.person_concerts.add(person_id, concert.id, expires_at=keys_expire_at(concert))


async def estimate_wait(context: Context, entry: QueueEntry) -> WaitEstimate | None:
    """Return the estimate for a waiting entry.

    Returns None if it has no position or there is no estimate yet.
    """
    if entry.state not in WAITING_STATES or not entry.position:
        return None
    concert = await _find_concert(context, entry.concert_id)
    return (await context.wait_tables.get(context.stores, concert)).estimate(entry.position)


async def read_pass(context: Context, token: str | None, concert_id: ConcertId) -> EntryId | None:
    """Return the entry id of a genuine pass, or None if there is no token.

    Raises NotAdmitted for any other token, with the viewer's position if they are waiting.
    """
    if token is None:
        return None
    person_id = context.signed_in().person_id
    try:
        return context.passes.read_entry_id(token, concert_id=concert_id, person_id=person_id)
    except BadPass as error:
        entry = await get_viewer_entry(context, concert_id)
        is_waiting = entry is not None and entry.state in WAITING_STATES
        raise NotAdmitted(Admission.BAD_PASS, entry.position if entry and is_waiting else None) from error


@contextmanager
def hidden_positions(concert: Concert) -> Iterator[None]:
    """Remove the position from a NotAdmitted error if calls are drawn at random.

    Such a queue has no order.
    """
    try:
        yield
    except NotAdmitted as error:
        if concert.room.queueing_method is QueueingMethod.RANDOM:
            raise NotAdmitted(error.reason, None) from error
        raise


def build_entry(
    signer: PassSigner,
    concert_id: ConcertId,
    record: EntryRecord,
    *,
    method: QueueingMethod,
    position: int | None,
    wait_table: WaitTable,
    epoch: int,
    version: int,
) -> QueueEntry:
    """Build an entry with its position at one version of the queue.

    With RANDOM, a waiting entry has neither a number nor a position.
    """
    is_waiting = record.state in WAITING_STATES
    has_no_order = is_waiting and method is QueueingMethod.RANDOM
    return QueueEntry(
        concert_id=concert_id,
        person_id=record.person_id,
        entry_id=record.entry_id,
        number=None if has_no_order else record.number,
        state=record.state,
        position=None if has_no_order else position if is_waiting else 0,
        joined_at=record.joined_at,
        expires_at=record.deadline,
        queue_pass=_pass(signer, concert_id, record),
        end_reason=record.end_reason,
        lot=record.lot,
        round=record.round,
        estimate=wait_table.estimate(position) if is_waiting and position and not has_no_order else None,
        epoch=epoch,
        version=version,
    )


def _show(context: Context, concert: Concert, found: PositionedEntry) -> QueueEntry:
    """Build the entry for a reply. `estimate_wait` reads the estimate only if it is selected."""
    return build_entry(
        context.passes,
        concert.id,
        found.record,
        method=concert.room.queueing_method,
        position=found.position,
        wait_table=NO_ESTIMATE,
        epoch=found.record.epoch,
        version=found.record.version,
    )


def _pass(signer: PassSigner, concert_id: ConcertId, record: EntryRecord) -> QueuePass | None:
    if record.claimed_at is None or record.deadline is None:
        return None
    claims = PassClaims(concert_id, record.person_id, record.entry_id, record.claimed_at, record.session_ends_at)
    is_good = record.state is EntryState.ADMITTED
    return QueuePass(
        id=claims.id,
        token=signer.sign(claims) if is_good else None,
        status=_PASS_STATUS[record.state],
        expires_at=record.deadline,
    )


async def _find_concert(context: Context, concert_id: ConcertId) -> Concert:
    """Return a cached concert. Raises NotFound, even for a draft, because its existence is not
    public.
    """
    concert = await context.stores.concert_cache.get(concert_id)
    if concert is None or concert.status is ConcertStatus.DRAFT:
        raise NotFound("Concert", concert_id)
    return concert


async def _entry_unless_room_is_off(context: Context, concert_id: ConcertId) -> QueueEntry | None:
    """Return the viewer's entry for an indexed concert; None if it is past or its room is off."""
    try:
        concert = await _find_concert(context, concert_id)
        return await get_viewer_entry(context, concert_id) if concert.room.is_on else None
    except NotFound:
        return None
