"""Resolves `node(id)` with the same permissions as the fields that return the object."""

from typing import Annotated, assert_never

import strawberry

from domain.ids import ConcertId, HoldId, OrderId, TicketId, TierId, concert_of
from resolvers import concerts
from resolvers.context import Context
from resolvers.permissions import visible_tiers
from schema import ids
from schema.catalog.tiers import Tier, load_tier
from schema.concerts import load_concert
from schema.holds import load_hold
from schema.ids import Kind, Node
from schema.orders import load_order
from schema.permissions import NODE_PERMISSIONS
from schema.queues import QueueEntry, load_entry
from schema.strawberry_fixes import ID, Info
from schema.tickets.ticket import load_ticket
from schema.viewer import Viewer


async def find_node(info: Info, id_: Annotated[strawberry.ID, ID]) -> Node | None:
    found = ids.argument("id", id_)
    NODE_PERMISSIONS[found.kind].check_roles(info.context.viewer)
    match found.kind:
        case Kind.CONCERT:
            return await load_concert(info.context, ConcertId(found.parts[0]))
        case Kind.TIER:
            return await _tier(info, TierId(found.parts[0]))
        case Kind.HOLD:
            return await load_hold(info.context, ConcertId(found.parts[0]), HoldId(found.parts[1]))
        case Kind.ORDER:
            return await load_order(info.context, OrderId(found.parts[0]))
        case Kind.QUEUE_ENTRY:
            return await _entry(info.context, ConcertId(found.parts[0]), id_=id_)
        case Kind.TICKET:
            return await load_ticket(info.context, ConcertId(found.parts[0]), TicketId(found.parts[1]))
        case Kind.VIEWER:
            viewer = Viewer.of(info.context.signed_in())
            return viewer if viewer.id == id_ else None
    assert_never(found.kind)


async def _tier(info: Info, tier_id: TierId) -> Tier | None:
    concert = await concerts.load_concert(info.context, concert_of(tier_id))
    visible = visible_tiers(info.context, concert) if concert else ()
    return await load_tier(info, tier_id) if tier_id in {tier.id for tier in visible} else None


async def _entry(context: Context, concert_id: ConcertId, *, id_: strawberry.ID) -> QueueEntry | None:
    """Return the viewer's latest entry.

    Returns None if the id belongs to another person's entry or to an earlier entry.
    """
    entry = await load_entry(context, concert_id)
    return entry if entry and entry.id == id_ else None
