"""What the queue fields do: join and leave the line, heartbeat, claim the pass, show entries."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

from auth.passes import BadPass, PassClaims, PassSigner
from domain.errors import Admission, NotAdmitted, NotFound, NotInQueue, NotOnSale
from domain.estimates.wait_estimates import NO_ESTIMATE, WaitTable
from domain.ids import ConcertId, PersonId
from domain.queues import EntryState, PassStatus, QueueEntry, QueueingMethod, QueuePass
from resolvers.context import Context
from storage.hot.queues import EntryRecord

MAX_JOINS_PER_PERSON = 20
MAX_JOINS_PER_ADDRESS = 3_000
"""A university behind one address may queue; a flood from one may not."""
JOIN_WINDOW_S = 10

_PASS_STATUS = {
    EntryState.ADMITTED: PassStatus.CREATED,
    EntryState.COMPLETED: PassStatus.TRANSACTION_COMPLETE,
    EntryState.LEFT: PassStatus.TRANSACTION_FAILED,
    EntryState.EXPIRED: PassStatus.TOKEN_EXPIRED,
}


async def join_queue(context: Context, concert_id: ConcertId) -> QueueEntry:
    """The viewer's place, the one they have if they have one. Raises RoomNotOpen, RateLimited."""
    person_id = context.signed_in().person_id
    queues = context.stores.queues
    limits = {f"person {person_id}": MAX_JOINS_PER_PERSON}
    if context.address is not None:
        limits[f"address {context.address}"] = MAX_JOINS_PER_ADDRESS
    tries = [queues.count_attempt("joins", who, limit=limit, window_s=JOIN_WINDOW_S) for who, limit in limits.items()]
    await asyncio.gather(*tries)
    with _drafts_not_found(concert_id):
        await queues.join(concert_id, person_id)
    return await _viewer_entry(context, concert_id)


async def leave_queue(context: Context, concert_id: ConcertId) -> QueueEntry:
    with _drafts_not_found(concert_id):
        await context.stores.queues.leave(concert_id, context.signed_in().person_id)
    return await _viewer_entry(context, concert_id)


async def heartbeat(context: Context, concert_id: ConcertId) -> QueueEntry:
    with _drafts_not_found(concert_id):
        await context.stores.queues.heartbeat(concert_id, context.signed_in().person_id)
    return await _viewer_entry(context, concert_id)


async def claim_pass(context: Context, concert_id: ConcertId) -> QueueEntry:
    """The entry with its pass. Claimed again, the same pass."""
    with _drafts_not_found(concert_id):
        await context.stores.queues.claim(concert_id, context.signed_in().person_id)
    return await _viewer_entry(context, concert_id)


async def get_viewer_entry(context: Context, concert_id: ConcertId) -> QueueEntry | None:
    return await _entry(context, concert_id, context.signed_in().person_id)


async def list_viewer_entries(context: Context) -> tuple[QueueEntry, ...]:
    """Living entries of the viewer, oldest first."""
    context.signed_in()
    concerts = await context.stores.concerts.list_active(starts_after=datetime.now(UTC) - timedelta(days=1))
    found = await asyncio.gather(*[get_viewer_entry(context, concert.id) for concert in concerts if concert.room.is_on])
    living = [entry for entry in found if entry is not None and entry.is_active]
    return tuple(sorted(living, key=lambda entry: entry.joined_at))


def read_pass(signer: PassSigner, token: str | None, concert_id: ConcertId, person_id: PersonId) -> int | None:
    """The place a genuine pass is for; None without one. Raises NotAdmitted for a token that is none of ours."""
    if token is None:
        return None
    try:
        return signer.read_entry_id(token, concert_id=concert_id, person_id=person_id)
    except BadPass as error:
        raise NotAdmitted(Admission.BAD_PASS, None) from error


async def find_waiting_entry(context: Context, concert_id: ConcertId, person_id: PersonId) -> QueueEntry | None:
    """The entry of somebody who waits in this line; None for everybody else."""
    entry = await _entry(context, concert_id, person_id)
    is_waiting = entry is not None and entry.state in (EntryState.PREQUEUED, EntryState.WAITING)
    return entry if is_waiting else None


def build_entry(
    signer: PassSigner,
    concert_id: ConcertId,
    record: EntryRecord,
    *,
    method: QueueingMethod,
    position: int | None,
    pace: WaitTable,
) -> QueueEntry:
    """An entry with its position at one version of the line. Where lots are drawn nobody has a place in an order."""
    is_waiting = record.state in (EntryState.PREQUEUED, EntryState.WAITING)
    is_drawn = is_waiting and method is QueueingMethod.RANDOM
    return QueueEntry(
        concert_id=concert_id,
        person_id=record.person_id,
        entry_id=record.entry_id,
        number=None if is_drawn else record.number,
        state=record.state,
        position=None if is_drawn else position if is_waiting else 0,
        joined_at=record.joined_at,
        expires_at=record.deadline,
        queue_pass=_pass(signer, concert_id, record),
        end_reason=record.end_reason,
        lot=record.lot,
        round=record.round,
        estimate=pace.estimate(position) if is_waiting and position and not is_drawn else None,
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


async def _entry(context: Context, concert_id: ConcertId, person_id: PersonId) -> QueueEntry | None:
    concert = await context.stores.concert_cache.get(concert_id)
    if concert is None:
        raise NotFound("Concert", concert_id)
    with _drafts_not_found(concert_id):
        found = await context.stores.queues.read_position(concert_id, person_id)
    if found is None:
        return None
    record, position = found
    pace = await context.wait_tables.get(context.stores, concert) if position else NO_ESTIMATE
    method = concert.room.queueing_method
    return build_entry(context.passes, concert_id, record, method=method, position=position, pace=pace)


async def _viewer_entry(context: Context, concert_id: ConcertId) -> QueueEntry:
    """The viewer's entry after a step of theirs. Raises NotInQueue if the store has lost it since."""
    entry = await get_viewer_entry(context, concert_id)
    if entry is None:
        raise NotInQueue
    return entry


@contextmanager
def _drafts_not_found(concert_id: ConcertId) -> Iterator[None]:
    """A draft, or a concert long over, has no line; and nobody need know that there is a draft."""
    try:
        yield
    except NotOnSale as error:
        raise NotFound("Concert", concert_id) from error
