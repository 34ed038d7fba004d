"""What the queue fields do: stand in line, say that one is there, take the pass, look at the room."""

import asyncio
from datetime import UTC, datetime, timedelta

from auth.passes import BadPass, PassClaims, PassSigner
from domain.concerts import Concert, ConcertStatus
from domain.errors import Admission, NotAdmitted
from domain.ids import ConcertId, PersonId
from domain.lines import Line
from domain.queues import EntryState, PassStatus, QueueEntry, QueuePass, WaitingRoom
from resolvers.concerts import concert_by_id
from resolvers.context import Context
from storage.queues import EntryRecord, LineState

JOINS_A_PERSON = 20
JOINS_AN_ADDRESS = 3_000
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
    await queues.count_try("joins", f"person {person_id}", limit=JOINS_A_PERSON, window_s=JOIN_WINDOW_S)
    if context.address is not None:
        who = f"address {context.address}"
        await queues.count_try("joins", who, limit=JOINS_AN_ADDRESS, window_s=JOIN_WINDOW_S)
    return await _shown(context, concert_id, await queues.join(concert_id, person_id))


async def leave_queue(context: Context, concert_id: ConcertId) -> QueueEntry:
    record = await context.stores.queues.leave(concert_id, context.signed_in().person_id)
    return await _shown(context, concert_id, record)


async def heartbeat(context: Context, concert_id: ConcertId) -> QueueEntry:
    record = await context.stores.queues.heartbeat(concert_id, context.signed_in().person_id)
    return await _shown(context, concert_id, record)


async def claim_pass(context: Context, concert_id: ConcertId) -> QueueEntry:
    """The entry with its pass. Claimed again, the same pass."""
    record = await context.stores.queues.claim(concert_id, context.signed_in().person_id)
    return await _shown(context, concert_id, record)


async def entry_of_viewer(context: Context, concert_id: ConcertId) -> QueueEntry | None:
    person_id = context.signed_in().person_id
    record = (await context.stores.queues.entries(concert_id, [person_id])).get(person_id)
    return None if record is None else await _shown(context, concert_id, record)


async def entries_of_viewer(context: Context) -> tuple[QueueEntry, ...]:
    """Living entries of the viewer, oldest first."""
    context.signed_in()
    concerts = await context.stores.concerts.living(ended_before=datetime.now(UTC) - timedelta(days=1))
    found = await asyncio.gather(*[entry_of_viewer(context, concert.id) for concert in concerts if concert.room.is_on])
    living = [entry for entry in found if entry is not None and entry.is_living]
    return tuple(sorted(living, key=lambda entry: entry.joined_at))


async def waiting_room(context: Context, concert_id: ConcertId) -> WaitingRoom | None:
    concert = await concert_by_id(context, concert_id)
    if concert is None or concert.status is ConcertStatus.DRAFT:
        return None
    return room_of(concert, await context.stores.queues.line(concert_id))


def room_of(concert: Concert, state: LineState) -> WaitingRoom:
    return WaitingRoom(
        concert_id=concert.id,
        settings=concert.room,
        epoch=state.epoch,
        version=state.version,
        serving_number=state.line.serving_number,
        tail=state.line.tail,
        waiting_count=state.line.waiting_count,
        slots_taken=state.slots_taken,
        passes_issued=state.passes_issued,
    )


def pass_number(signer: PassSigner, token: str | None, concert_id: ConcertId, person_id: PersonId) -> int | None:
    """The number a genuine pass is for; None without one. Raises NotAdmitted for a token that is none of ours."""
    if token is None:
        return None
    try:
        return signer.number_of(token, concert_id=concert_id, person_id=person_id)
    except BadPass as error:
        raise NotAdmitted(Admission.BAD_PASS, None) from error


async def position_of(context: Context, concert_id: ConcertId, person_id: PersonId) -> int | None:
    """Where a living entry stands; None for a person who has none."""
    record = (await context.stores.queues.entries(concert_id, [person_id])).get(person_id)
    if record is None or record.state is not EntryState.WAITING:
        return None
    return (await context.stores.queues.line(concert_id)).line.position(record.number)


def show_entry(signer: PassSigner, concert_id: ConcertId, record: EntryRecord, line: Line) -> QueueEntry:
    is_waiting = record.state is EntryState.WAITING
    return QueueEntry(
        concert_id=concert_id,
        person_id=record.person_id,
        number=record.number,
        state=record.state,
        position=line.position(record.number) if is_waiting else 0,
        joined_at=record.joined_at,
        expires_at=record.deadline,
        queue_pass=_pass(signer, concert_id, record),
    )


def _pass(signer: PassSigner, concert_id: ConcertId, record: EntryRecord) -> QueuePass | None:
    if record.claimed_at is None or record.deadline is None:
        return None
    claims = PassClaims(concert_id, record.person_id, record.number, record.claimed_at, record.session_ends_at)
    is_good = record.state is EntryState.ADMITTED
    return QueuePass(
        id=claims.id,
        token=signer.sign(claims) if is_good else None,
        status=_PASS_STATUS[record.state],
        expires_at=record.deadline,
    )


async def _shown(context: Context, concert_id: ConcertId, record: EntryRecord) -> QueueEntry:
    if record.state is not EntryState.WAITING:
        return show_entry(context.passes, concert_id, record, Line(0, 0, b""))
    line = (await context.stores.queues.line(concert_id)).line
    if not line.is_waiting(record.number):
        # Called or ended between the two reads.
        again = (await context.stores.queues.entries(concert_id, [record.person_id])).get(record.person_id)
        record = again or record
    return show_entry(context.passes, concert_id, record, line)
