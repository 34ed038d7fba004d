"""Resolvers for the hold fields. They create, release and read holds."""

import asyncio
from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from itertools import chain
from typing import TypeVar

from domain.errors import NotFound, NotOnSale
from domain.holds import Hold, TicketRequest
from domain.ids import ConcertId, HoldId, PersonId, TierId, concert_of, fingerprint, hold_id
from domain.validation import key_problems, raise_problems, ticket_line_problems
from resolvers.context import Context
from resolvers.history import is_past, past_raises
from resolvers.load_once import NowOrLater
from resolvers.permissions import draft_raises, may_see, organizes
from resolvers.queues import (
    hidden_positions,
    load_viewer_concerts,
    read_indexed_entry,
    read_pass,
)

Shown = TypeVar("Shown")


async def hold_tickets(
    context: Context,
    concert_id: ConcertId,
    lines: tuple[TicketRequest, ...],
    idempotency_key: str,
    queue_pass: str | None = None,
) -> Hold:
    """Hold all lines or none, and return the hold.

    A repeated key returns the current state of the same hold. Raises NotAdmitted if a required pass
    is missing or not valid.
    """
    viewer = context.signed_in()
    raise_problems(chain(key_problems(idempotency_key), ticket_line_problems(concert_id, lines)))
    id_ = hold_id(viewer.person_id, concert_id, "holdTickets", idempotency_key)
    return await create_hold(context, id_, lines, digest=_digest_of(lines), queue_pass=queue_pass)


async def create_hold(
    context: Context, id_: HoldId, lines: tuple[TicketRequest, ...], *, digest: str, queue_pass: str | None
) -> Hold:
    """Hold all lines or none.

    Raises RateLimited, or NotAdmitted with the viewer's position if they are waiting.

    The index of the person's concerts and the hold are written concurrently, the index only if this
    process has not written it lately. If the index cannot be written, the request is refused,
    but the hold may exist until its deadline. A repeated request returns it and writes the index
    again.
    """
    viewer, concert_id = context.signed_in(), concert_of(lines[0].tier_id)
    context.call_limits.count_hold_request(viewer.person_id, context.address)
    stores = context.stores
    concert = stores.concert_cache.find_listed(concert_id) or await stores.concert_cache.get(concert_id)
    if concert is not None and is_past(concert):
        # The pass is not checked, because its queue has expired too.
        raise NotOnSale(concert_id, concert.status)
    pass_entry_id = None if queue_pass is None else await read_pass(context, queue_pass, concert_id)
    # Drafts are indexed too, because another process may publish the concert before the hold runs.
    addition = None if concert is None else stores.person_concerts.begin_addition(viewer.person_id, concert)
    try:
        held = await stores.holds.hold(
            concert_id,
            id_,
            lines,
            person_id=viewer.person_id,
            digest=digest,
            pass_entry_id=pass_entry_id,
            rates=context.call_limits.rates.holds,
            address=context.address,
            sells_hidden=concert is not None and organizes(context, concert),
        )
    except BaseException as error:
        if concert is None or addition is None:
            raise
        addition.abandon()
        # Entered only here, because entering them takes longer than anything else in a hold.
        with hidden_positions(concert), draft_raises(partial(NotFound, "Concert", concert_id)):
            raise error
    if addition is not None and not addition.is_complete_at(held.epoch):
        await addition.complete(held.epoch)
    return held


async def release_hold(context: Context, concert_id: ConcertId, id_: HoldId) -> Hold:
    with past_raises(concert_id, partial(NotFound, "Hold", id_)):
        return await context.stores.holds.release(concert_id, id_, person_id=context.signed_in().person_id)


async def get_hold(context: Context, concert_id: ConcertId, id_: HoldId) -> Hold | None:
    """Return the hold if the viewer owns it or organizes its concert; otherwise None.

    Raises NotFound if the concert does not exist, is a draft or is past.
    """
    with past_raises(concert_id, partial(NotFound, "Hold", id_)):
        hold = await context.stores.holds.get(concert_id, id_)
    if hold is None or not await may_see(context, concert_id, owner=hold.person_id):
        return None
    return hold


async def list_viewer_holds(context: Context) -> tuple[Hold, ...]:
    """Return the active holds of the viewer, oldest first; by ID if of the same millisecond."""
    person_id = context.signed_in().person_id
    concert_ids = await load_viewer_concerts(context)
    held = await asyncio.gather(*[_holds_at(context, concert_id, person_id) for concert_id in concert_ids])
    return tuple(sorted(chain.from_iterable(held), key=_age_order))


def show_viewer_hold(
    context: Context, concert_id: ConcertId, show: Callable[[Hold | None], Shown]
) -> NowOrLater[Shown]:
    """Return `show` of the viewer's newest active hold, without waiting if it has been loaded."""
    return context.viewer_holds.get_now_or_later(concert_id, partial(_read_newest_hold, context, concert_id), show)


async def load_viewer_state(
    context: Context, concert_ids: Sequence[ConcertId], *, with_holds: bool, with_entries: bool
) -> None:
    """Load the viewer's holds and entries at these concerts in one round trip, after one for the
    index. Only concerts in the index are read.
    """
    if context.viewer is None or not (with_holds or with_entries):
        return
    person_id = context.viewer.person_id
    await context.viewer_concerts.load_all({person_id: partial(context.stores.person_concerts.list, person_id)})
    await asyncio.gather(
        context.viewer_holds.load_all(
            {id_: partial(_read_newest_hold, context, id_) for id_ in concert_ids if with_holds}
        ),
        context.viewer_entries.load_all(
            {id_: partial(read_indexed_entry, context, id_) for id_ in concert_ids if with_entries}
        ),
    )


async def _read_newest_hold(context: Context, concert_id: ConcertId) -> Hold | None:
    if concert_id not in await load_viewer_concerts(context):
        return None
    found = await _holds_at(context, concert_id, context.signed_in().person_id)
    return max(found, key=_age_order, default=None)


def _age_order(hold: Hold) -> tuple[int, HoldId]:
    return hold.created_ms, hold.id


async def _holds_at(context: Context, concert_id: ConcertId, person_id: PersonId) -> tuple[Hold, ...]:
    """Return a person's active holds at an indexed concert, which may already be over."""
    try:
        return await context.stores.holds.list_for_person(concert_id, person_id)
    except (NotFound, NotOnSale):
        return ()


def _digest_of(lines: tuple[TicketRequest, ...]) -> str:
    if len(lines) == 1:
        return _digest_of_line(lines[0].tier_id, lines[0].quantity)
    return fingerprint(*fingerprint_parts(lines))


@lru_cache(maxsize=1_000)
def _digest_of_line(tier_id: TierId, quantity: int) -> str:
    return fingerprint(tier_id, str(quantity))


def fingerprint_parts(lines: tuple[TicketRequest, ...]) -> list[str]:
    """Return the lines as fingerprint parts, sorted because their order does not matter."""
    return [
        word for line in sorted(lines, key=lambda line: line.tier_id) for word in (line.tier_id, str(line.quantity))
    ]
