"""What the queue fields do: stand in line, say that one is there, take the pass, look at the room."""

import asyncio
from datetime import UTC, datetime, timedelta

from auth.passes import BadPass, PassClaims, PassSigner
from domain.concerts import Concert
from domain.errors import Admission, NotAdmitted, NotFound
from domain.estimates import NO_PACE, Pace, pace_of
from domain.ids import ConcertId, PersonId
from domain.lines import Line
from domain.queues import EntryState, PassStatus, QueueEntry, QueueingMethod, QueuePass, RoomStatus, WaitingRoom
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
    return await _entry(context, concert_id, context.signed_in().person_id)


async def entries_of_viewer(context: Context) -> tuple[QueueEntry, ...]:
    """Living entries of the viewer, oldest first."""
    context.signed_in()
    concerts = await context.stores.concerts.living(ended_before=datetime.now(UTC) - timedelta(days=1))
    found = await asyncio.gather(*[entry_of_viewer(context, concert.id) for concert in concerts if concert.room.is_on])
    living = [entry for entry in found if entry is not None and entry.is_living]
    return tuple(sorted(living, key=lambda entry: entry.joined_at))


def room_of(concert: Concert, state: LineState) -> WaitingRoom:
    return WaitingRoom(
        concert_id=concert.id,
        settings=concert.room,
        status=state.status,
        opens_at=concert.room.opens_at or concert.sales_start_at,
        epoch=state.epoch,
        version=state.version,
        serving_number=state.line.serving_number,
        tail=state.line.tail,
        waiting_count=state.line.waiting_count,
        slots_taken=state.slots_taken,
        passes_issued=state.passes_issued,
        flow=state.flow,
    )


def pass_place(signer: PassSigner, token: str | None, concert_id: ConcertId, person_id: PersonId) -> int | None:
    """The place a genuine pass is for; None without one. Raises NotAdmitted for a token that is none of ours."""
    if token is None:
        return None
    try:
        return signer.place_of(token, concert_id=concert_id, person_id=person_id)
    except BadPass as error:
        raise NotAdmitted(Admission.BAD_PASS, None) from error


async def position_of(context: Context, concert_id: ConcertId, person_id: PersonId) -> int | None:
    """Where a living entry stands; None for a person who has none, or where nobody has a position."""
    entry = await _entry(context, concert_id, person_id)
    return entry.position if entry is not None and entry.state is EntryState.WAITING else None


def show_entry(
    signer: PassSigner, room: WaitingRoom, record: EntryRecord, line: Line, *, pace: Pace | None = None
) -> QueueEntry:
    """An entry at the version of the room and its line. People who are drawn by lot have no place in an order.

    `pace` is that of the room; who shows many entries works it out once.
    """
    is_waiting = record.state in (EntryState.PREQUEUED, EntryState.WAITING)
    number = None if is_waiting and room.settings.queueing_method is QueueingMethod.RANDOM else record.number
    position = (line.position(number) if number is not None else None) if is_waiting else 0
    return QueueEntry(
        concert_id=room.concert_id,
        person_id=record.person_id,
        place=record.place,
        number=number,
        state=record.state,
        position=position,
        joined_at=record.joined_at,
        expires_at=record.deadline,
        queue_pass=_pass(signer, room.concert_id, record),
        end=record.end,
        lot=record.lot,
        round=record.round,
        estimate=(pace or pace_in(room)).estimate(position) if is_waiting and position else None,
    )


def pace_in(room: WaitingRoom) -> Pace:
    """How fast people are called; nobody can tell where nobody is."""
    if room.status is not RoomStatus.OPEN:
        return NO_PACE
    return pace_of(
        room.flow,
        slots_taken=room.slots_taken,
        total_active_users=room.settings.total_active_users,
        new_users_per_minute=room.settings.new_users_per_minute,
    )


def _pass(signer: PassSigner, concert_id: ConcertId, record: EntryRecord) -> QueuePass | None:
    if record.claimed_at is None or record.deadline is None:
        return None
    claims = PassClaims(concert_id, record.person_id, record.place, record.claimed_at, record.session_ends_at)
    is_good = record.state is EntryState.ADMITTED
    return QueuePass(
        id=claims.id,
        token=signer.sign(claims) if is_good else None,
        status=_PASS_STATUS[record.state],
        expires_at=record.deadline,
    )


async def _shown(context: Context, concert_id: ConcertId, record: EntryRecord) -> QueueEntry:
    """At the version of a line that is read after the record, and agrees with it."""
    concert = await context.stores.living.find(concert_id)
    if concert is None:
        raise NotFound("Concert", concert_id)
    state = await context.stores.queues.line(concert_id)
    is_called_since = record.number is not None and not state.line.is_waiting(record.number)
    if record.state in (EntryState.PREQUEUED, EntryState.WAITING) and (is_called_since or record.round != state.round):
        again = (await context.stores.queues.entries(concert_id, [record.person_id])).get(record.person_id)
        record = again or record
    return show_entry(context.passes, room_of(concert, state), record, state.line)


async def _entry(context: Context, concert_id: ConcertId, person_id: PersonId) -> QueueEntry | None:
    record = (await context.stores.queues.entries(concert_id, [person_id])).get(person_id)
    return None if record is None else await _shown(context, concert_id, record)
