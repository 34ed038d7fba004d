"""The GraphQL edge: the root types, the built schema, and `execute`, which is all that a transport needs of it."""

from datetime import UTC, datetime

import strawberry
from strawberry.schema.config import StrawberryConfig

from schema import organizing, rights
from schema.concerts import Concert, Tier, find_concert, list_concerts
from schema.defaults import drop_null_defaults
from schema.errors import HANDLERS
from schema.failures import SystemCode
from schema.holds import Hold, hold_tickets, release_hold
from schema.node import find_node
from schema.operation import Answer, Executor, NotAQuery, Operation
from schema.orders import Order, find_order, purchase_tickets
from schema.request import forget_before_mutations
from schema.scalars import SCALARS
from schema.viewer import find_viewer

__all__ = ["Answer", "NotAQuery", "Operation", "SystemCode", "execute", "sdl"]


def _server_time() -> datetime:
    return datetime.now(UTC)


@strawberry.type
class Query:
    concerts = strawberry.field(list_concerts, description="The catalogue, by start. Organizers see drafts too.")
    concert = strawberry.field(find_concert, description="One concert, by either its `id` or its `slug`.")
    order = strawberry.field(find_order, description="An order of yours; organizers see every order.")
    me = strawberry.field(find_viewer, description="You, your holds and your orders.")
    node = strawberry.field(find_node, description="Anything with a global id; null if it is not there or not yours.")
    server_time = strawberry.field(_server_time, description="The server's clock, for clients that count down.")


@strawberry.type
class Mutation:
    hold_tickets = strawberry.mutation(hold_tickets, description="Take tickets out of stock for a while.")
    release_hold = strawberry.mutation(release_hold, description="Give a hold back before its deadline.")
    purchase_tickets = strawberry.mutation(purchase_tickets, description="Buy a hold, or hold and buy in one step.")
    create_concert = strawberry.mutation(organizing.create_concert, description="Make a concert, as a draft.")
    update_concert = strawberry.mutation(
        organizing.update_concert, description="Change a concert, its limits, its prices or its capacities."
    )
    publish_concert = strawberry.mutation(organizing.publish_concert, description="Put a draft into the catalogue.")
    close_concert = strawberry.mutation(organizing.close_concert, description="End the sale of a concert for good.")


_SCHEMA = strawberry.Schema(
    query=Query,
    mutation=Mutation,
    types=[Concert, Tier, Hold, Order],
    config=StrawberryConfig(scalar_map=SCALARS),
    exception_handlers=HANDLERS,
)
_CORE = _SCHEMA._schema
drop_null_defaults(_CORE)
forget_before_mutations(_CORE)
rights.enforce(_CORE)
execute = Executor(_CORE).execute


def sdl() -> str:
    """The schema in its own language, as it is committed in schema.graphql."""
    return _SCHEMA.as_str() + "\n"
