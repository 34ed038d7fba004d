"""The GraphQL edge: the root types, the built schema, and all that a transport needs of it: `execute` and `start`."""

from datetime import UTC, datetime

import strawberry
from strawberry.schema.config import StrawberryConfig

from schema import permissions, subscription_fields
from schema.concerts import Concert, Stock, Tier, find_concert, list_concerts
from schema.execution.document_cache import DocumentCache
from schema.execution.operation import Executor, NotAQuery, Operation, OperationResult, error_result
from schema.execution.subscription_source import SubscriptionStarter
from schema.execution.top_level_errors import SystemCode
from schema.holds import Hold, hold_tickets, release_hold
from schema.mutations import clear_before_mutations, concerts, queues, rooms
from schema.mutations.result_errors import HANDLERS
from schema.node import find_node
from schema.orders import Order, find_order, purchase_tickets
from schema.queues import QueueEntry, QueuePosition, find_entry
from schema.rooms import WaitingRoom, find_room
from schema.scalars import SCALARS
from schema.strawberry_fixes import drop_null_defaults
from schema.viewer import find_viewer

__all__ = ["NotAQuery", "Operation", "OperationResult", "SystemCode", "error_result", "execute", "sdl", "start"]


def _server_time() -> datetime:
    return datetime.now(UTC)


@strawberry.type
class Query:
    concerts = strawberry.field(list_concerts, description="The catalogue, by start. Organizers see drafts too.")
    concert = strawberry.field(find_concert, description="One concert, by either its `id` or its `slug`.")
    waiting_room = strawberry.field(find_room, description="The gate of a concert; null if there is no such concert.")
    queue_entry = strawberry.field(
        find_entry, description="Your place in a line, for clients without a socket; null if you never joined."
    )
    order = strawberry.field(find_order, description="An order of yours; organizers see every order.")
    me = strawberry.field(find_viewer, description="You, your places in line, your holds and your orders.")
    node = strawberry.field(find_node, description="Anything with a global id; null if it is not there or not yours.")
    server_time = strawberry.field(_server_time, description="The server's clock, for clients that count down.")


@strawberry.type
class Mutation:
    join_queue = strawberry.mutation(queues.join_queue, description="Stand in the line of a concert.")
    leave_queue = strawberry.mutation(queues.leave_queue, description="Give your place, your call or your pass up.")
    heartbeat = strawberry.mutation(
        queues.heartbeat, description="Say that you are still there, where no socket of yours says it."
    )
    claim_queue_pass = strawberry.mutation(
        queues.claim_queue_pass, description="Take the pass that waits once your number is called."
    )
    hold_tickets = strawberry.mutation(hold_tickets, description="Take tickets out of stock for a while.")
    release_hold = strawberry.mutation(release_hold, description="Give a hold back before its deadline.")
    purchase_tickets = strawberry.mutation(purchase_tickets, description="Buy a hold, or hold and buy in one step.")
    create_concert = strawberry.mutation(concerts.create_concert, description="Make a concert, as a draft.")
    update_concert = strawberry.mutation(
        concerts.update_concert, description="Change a concert, its limits, its prices or its capacities."
    )
    publish_concert = strawberry.mutation(concerts.publish_concert, description="Put a draft into the catalogue.")
    close_concert = strawberry.mutation(concerts.close_concert, description="End the sale of a concert for good.")
    configure_waiting_room = strawberry.mutation(
        rooms.configure_waiting_room, description="Change the settings of a waiting room while it runs."
    )
    pause_waiting_room = strawberry.mutation(
        rooms.pause_waiting_room, description="Call nobody any more; everybody keeps their place."
    )
    resume_waiting_room = strawberry.mutation(rooms.resume_waiting_room, description="Go on calling.")
    admit_next = strawberry.mutation(rooms.admit_next, description="Call people by hand, under both caps.")
    reset_waiting_room = strawberry.mutation(
        rooms.reset_waiting_room, description="Empty the line; who was called keeps their turn."
    )


@strawberry.type(description="Each payload is complete: the first is the state now, and the newest one is enough.")
class Subscription:
    stock_changed = strawberry.subscription(
        subscription_fields.stock_changed, graphql_type=Stock, description="Stock of a concert, whenever it changes."
    )
    queue_position = strawberry.subscription(
        subscription_fields.queue_position,
        graphql_type=QueuePosition,
        description="Where you stand in line, until your place ends. While it runs, no heartbeat is needed.",
    )
    hold_changed = strawberry.subscription(
        subscription_fields.hold_changed,
        graphql_type=Hold,
        description="Your holds of a concert, each when it changes.",
    )
    order_updated = strawberry.subscription(
        subscription_fields.order_updated,
        graphql_type=Order,
        description="An order of yours, whenever it changes; organizers may watch every order.",
    )
    waiting_room_changed = strawberry.subscription(
        subscription_fields.waiting_room_changed,
        graphql_type=WaitingRoom,
        description="The room, whenever it changes, for those who run it.",
    )


_SCHEMA = strawberry.Schema(
    query=Query,
    mutation=Mutation,
    subscription=Subscription,
    types=[Concert, Tier, Hold, Order, QueueEntry],
    config=StrawberryConfig(scalar_map=SCALARS),
    exception_handlers=HANDLERS,
)
_CORE = _SCHEMA._schema
drop_null_defaults(_CORE)
clear_before_mutations(_CORE)
subscription_fields.wrap_topic_fields(_CORE)
permissions.enforce_permissions(_CORE)
_DOCUMENTS = DocumentCache(_CORE)
_EXECUTOR = Executor(_CORE, _DOCUMENTS)
execute = _EXECUTOR.execute
start = SubscriptionStarter(_CORE, _DOCUMENTS, _EXECUTOR).start


def sdl() -> str:
    """The schema in its own language, as it is committed in schema.graphql."""
    return _SCHEMA.as_str() + "\n"
