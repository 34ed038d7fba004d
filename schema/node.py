"""Resolves `node(id)` with the same permissions as the fields that return the object."""

from typing import Annotated, assert_never

import strawberry

from domain.errors import NotFound
from domain.ids import ConcertId, HoldId, OrderId, TierId, concert_of
from resolvers import concerts, holds
from resolvers.context import Context
from schema import ids
from schema.concerts import Tier, load_concert
from schema.holds import Hold, build_hold
from schema.ids import Kind, Node
from schema.orders import load_order
from schema.permissions import NODE_PERMISSIONS
from schema.queues import QueueEntry, load_entry
from schema.strawberry_fixes import ID, Info


async def find_node(info: Info, id_: Annotated[strawberry.ID, ID]) -> Node | None:
    found = ids.argument("id", id_)
    NODE_PERMISSIONS[found.kind].check_roles(info.context.viewer)
    match found.kind:
        case Kind.CONCERT:
            return await load_concert(info.context, ConcertId(found.parts[0]))
        case Kind.TIER:
            return await _tier(info.context, TierId(found.parts[0]))
        case Kind.HOLD:
            return await _hold(info.context, ConcertId(found.parts[0]), HoldId(found.parts[1]))
        case Kind.ORDER:
            return await load_order(info.context, OrderId(found.parts[0]))
        case Kind.QUEUE_ENTRY:
            return await _entry(info.context, ConcertId(found.parts[0]), id_=id_)
    assert_never(found.kind)


async def _tier(context: Context, tier_id: TierId) -> Tier | None:
    concert = await concerts.load_concert(context, concert_of(tier_id))
    tier = concert.tier(tier_id) if concert else None
    return Tier.of(concert, tier) if concert and tier else None


async def _hold(context: Context, concert_id: ConcertId, hold_id: HoldId) -> Hold | None:
    try:
        hold = await holds.get_hold(context, concert_id, hold_id)
    except NotFound:
        # The concert in the id does not exist, is a draft, or is past.
        return None
    return await build_hold(context, hold) if hold else None


async def _entry(context: Context, concert_id: ConcertId, *, id_: strawberry.ID) -> QueueEntry | None:
    """Return the viewer's latest entry.

    Returns None if the id belongs to another person's entry or to an earlier entry.
    """
    entry = await load_entry(context, concert_id)
    return entry if entry and entry.id == id_ else None
