"""What the hold fields do: take stock out for a person, give it back, show what they hold."""

import asyncio
from datetime import UTC, datetime, timedelta
from itertools import chain

from domain.errors import Admission, NotAdmitted
from domain.holds import Hold, TicketRequest
from domain.ids import ConcertId, HoldId, concert_of, fingerprint, hold_id
from domain.validation import MAX_HOLD, key_problems, raise_problems, ticket_line_problems
from resolvers.context import Context
from resolvers.queues import find_waiting_entry, read_pass


async def hold_tickets(
    context: Context,
    concert_id: ConcertId,
    lines: tuple[TicketRequest, ...],
    idempotency_key: str,
    queue_pass: str | None = None,
) -> Hold:
    """All lines or none; the same key finds the same hold, as it is now. Raises NotAdmitted where a pass is needed."""
    viewer = context.signed_in()
    raise_problems(chain(key_problems(idempotency_key), ticket_line_problems(concert_id, lines)))
    id_ = hold_id(viewer.person_id, concert_id, "holdTickets", idempotency_key)
    return await create_hold(context, id_, lines, digest=fingerprint(*fingerprint_parts(lines)), queue_pass=queue_pass)


async def create_hold(
    context: Context, id_: HoldId, lines: tuple[TicketRequest, ...], *, digest: str, queue_pass: str | None
) -> Hold:
    """The one way into stock. Somebody who is refused for want of a pass is told where they stand."""
    viewer, concert_id = context.signed_in(), concert_of(lines[0].tier_id)
    try:
        return await context.stores.holds.hold(
            concert_id,
            id_,
            lines,
            person_id=viewer.person_id,
            digest=digest,
            pass_entry_id=read_pass(context.passes, queue_pass, concert_id, viewer.person_id),
        )
    except NotAdmitted as refusal:
        standing = await find_waiting_entry(context, concert_id, viewer.person_id)
        is_early = refusal.reason is Admission.NO_PASS and standing is not None
        reason = Admission.NOT_CALLED if is_early else refusal.reason
        raise NotAdmitted(reason, standing.position if standing else None) from refusal


async def release_hold(context: Context, concert_id: ConcertId, id_: HoldId) -> Hold:
    return await context.stores.holds.release(concert_id, id_, person_id=context.signed_in().person_id)


async def get_hold(context: Context, concert_id: ConcertId, id_: HoldId) -> Hold | None:
    """Its owner's, or anybody's for an organiser."""
    viewer = context.signed_in()
    hold = await context.stores.holds.get(concert_id, id_)
    is_visible = hold is not None and (hold.person_id == viewer.person_id or viewer.is_organizer)
    return hold if is_visible else None


async def list_viewer_holds(context: Context) -> tuple[Hold, ...]:
    """Return the active holds of the viewer, oldest first."""
    viewer = context.signed_in()
    # A sale may go on for a day after the start, and a hold two hours more.
    concerts = await context.stores.concerts.list_active(starts_after=datetime.now(UTC) - timedelta(days=1) - MAX_HOLD)
    held = await asyncio.gather(
        *[context.stores.holds.list_for_person(concert.id, viewer.person_id) for concert in concerts]
    )
    return tuple(sorted(chain.from_iterable(held), key=lambda hold: hold.created_at))


def fingerprint_parts(lines: tuple[TicketRequest, ...]) -> list[str]:
    """The lines as a fingerprint takes them: their order does not change what is asked for."""
    return [
        word for line in sorted(lines, key=lambda line: line.tier_id) for word in (line.tier_id, str(line.quantity))
    ]
