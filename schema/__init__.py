"""The root types and the built schema. Transports run operations with an `Engine`."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import strawberry
from graphql import is_introspection_type, is_specified_scalar_type, print_type
from strawberry.schema.config import StrawberryConfig

from domain.limits.operations import DEFAULT_LIMITS, OperationLimits
from schema import permissions, subscription_fields
from schema.analytics.sales import ConcertSales, find_concert_sales
from schema.catalog.concert_lists import list_concerts
from schema.catalog.find_concert import find_concert
from schema.catalog.tiers import Tier
from schema.concerts import Concert
from schema.execution.document_cache import DocumentCache
from schema.execution.document_sources import AnyDocuments, DocumentSource, TrustedDocuments
from schema.execution.field_costs import build_cost_table
from schema.execution.input_bounds import INPUT_BOUNDS
from schema.execution.long_lists import yield_in_long_lists
from schema.execution.operation import Executor, NotAQuery, Operation, OperationResult, error_result
from schema.execution.persisted_documents import (
    DEFAULT_BYTES,
    DocumentHash,
    PersistedDocuments,
    hash_document,
    parse_document_hash,
    parse_document_id,
)
from schema.execution.read_once import read_equal_fields_once
from schema.execution.subscription_source import SubscriptionStarter
from schema.execution.top_level_errors import SystemCode
from schema.execution.trusted_documents import TrustedDocumentsError, read_trusted_documents
from schema.holds import Hold, hold_tickets, release_hold
from schema.mutations import clear_before_mutations, concerts, drafts, orders, queues, rooms, tickets
from schema.mutations.result_errors import HANDLERS
from schema.node import find_node
from schema.orders import Order, find_order
from schema.organizers.orders import list_concert_orders
from schema.plans.document_plans import PlanCompiler
from schema.queues import QueueEntry, QueuePosition, find_entry
from schema.rooms import WaitingRoom, find_room
from schema.scalars import SCALARS
from schema.stock.stock import Stock
from schema.strawberry_fixes import (
    add_plain_fields,
    drop_null_defaults,
    mark_one_of_inputs,
    object_type_of,
    read_inputs_by_plan,
)
from schema.tickets.offers import find_ticket_offer
from schema.viewer import find_viewer

__all__ = [
    "CORE_SCHEMA",
    "DocumentHash",
    "DocumentRules",
    "Engine",
    "NotAQuery",
    "Operation",
    "OperationResult",
    "SystemCode",
    "TrustedDocumentsError",
    "build_engine",
    "error_result",
    "execute",
    "hash_document",
    "parse_document_hash",
    "parse_document_id",
    "sdl",
    "start",
]


def _server_time() -> datetime:
    return datetime.now(UTC)


@strawberry.type(description="All queries.")
class Query:
    concerts = strawberry.field(
        list_concerts,
        description=(
            "The concerts that match a filter, or the upcoming concerts if there is none. Organizers also see their"
            " own drafts, and admins see all drafts."
        ),
    )
    concert = strawberry.field(find_concert, description="One concert, by its id or its slug.")
    waiting_room = strawberry.field(
        find_room, description="The waiting room of a concert. Null if the concert does not exist."
    )
    queue_entry = strawberry.field(
        find_entry,
        description=(
            "Your queue entry, for clients without an open subscription. Null if you never joined or are signed out."
        ),
    )
    order = strawberry.field(
        find_order,
        description="One of your orders. Organizers also see the orders of their concerts, and admins see all orders.",
    )
    concert_orders = strawberry.field(
        list_concert_orders,
        description="The orders of a concert, newest first. For the concert's organizer and admins.",
    )
    concert_sales = strawberry.field(
        find_concert_sales,
        description="The sales of a concert and the conversion of its queue. For the concert's organizer and admins.",
    )
    ticket_offer = strawberry.field(
        find_ticket_offer,
        description=(
            "The offer behind the link of a ticket transfer, for everyone who has the link. Null if the link is"
            " incomplete, or its offer was canceled or replaced."
        ),
    )
    me = strawberry.field(
        find_viewer, description="You, with your queue entries, holds and orders. Null if you are signed out."
    )
    viewer = strawberry.field(
        find_viewer, description="The same as `me`, under the name from which Relay refetches fragments on `Viewer`."
    )
    node = strawberry.field(
        find_node, description="An object by its global id. Null if it does not exist or is not yours."
    )
    server_time = strawberry.field(_server_time, description="The server's clock, for countdowns.")


@strawberry.type(description="All mutations. Expected errors are members of their result unions.")
class Mutation:
    join_queue = strawberry.mutation(queues.join_queue, description="Join the queue of a concert.")
    leave_queue = strawberry.mutation(
        queues.leave_queue, description="Leave the queue, or give up your call or your pass."
    )
    heartbeat = strawberry.mutation(
        queues.heartbeat, description="Keep your queue entry alive while you have no open subscription."
    )
    claim_queue_pass = strawberry.mutation(
        queues.claim_queue_pass, description="Claim your pass after your number was called."
    )
    hold_tickets = strawberry.mutation(hold_tickets, description="Reserve tickets for a limited time.")
    release_hold = strawberry.mutation(release_hold, description="Release a hold before its deadline.")
    purchase_tickets = strawberry.mutation(
        orders.purchase_tickets, description="Buy held tickets, or hold and buy in one step."
    )
    sync_order_payment = strawberry.mutation(
        orders.sync_order_payment,
        description="Ask the payment provider about an order. Call it after your client has confirmed the payment.",
    )
    cancel_order = strawberry.mutation(
        orders.cancel_order, description="Cancel an unpaid order, and put its tickets on sale again."
    )
    refund_order = strawberry.mutation(
        orders.refund_order,
        description=(
            "Refund an order, or some of its tickets. For the concert's organizer and admins, and for the buyer until"
            " `Concert.refundsUntil`."
        ),
    )
    transfer_ticket = strawberry.mutation(
        tickets.transfer_ticket,
        description="Send another person a link with which they can accept one of your tickets.",
    )
    cancel_ticket_transfer = strawberry.mutation(
        tickets.cancel_ticket_transfer, description="Withdraw a transfer that has not been accepted yet."
    )
    accept_ticket_transfer = strawberry.mutation(
        tickets.accept_ticket_transfer, description="Accept a ticket with the link that was sent to you."
    )
    check_in_ticket = strawberry.mutation(
        tickets.check_in_ticket,
        description="Check a ticket in at the gate, before the person is admitted. For the gate staff of the concert.",
    )
    check_in_tickets = strawberry.mutation(
        tickets.check_in_tickets,
        description=(
            "Record the scans of scanners that were offline and have admitted people already. For the gate staff of"
            " the concert."
        ),
    )
    create_concert = strawberry.mutation(concerts.create_concert, description="Create a concert as a draft.")
    copy_concert = strawberry.mutation(
        drafts.copy_concert,
        description=(
            "Create a draft for another time with the terms, tiers and waiting room of an existing concert. Its"
            " orders, queue and gate staff, and the times and message of its waiting room are not copied."
        ),
    )
    delete_concert = strawberry.mutation(
        drafts.delete_concert, description="Delete a draft for good. A concert that was published cannot be deleted."
    )
    update_concert = strawberry.mutation(
        concerts.update_concert, description="Change a concert, including its limits, prices and capacities."
    )
    change_concert_organizer = strawberry.mutation(
        concerts.change_concert_organizer, description="Give a concert to another organizer. For admins."
    )
    publish_concert = strawberry.mutation(concerts.publish_concert, description="Publish a draft.")
    close_concert = strawberry.mutation(concerts.close_concert, description="End the sale of a concert permanently.")
    cancel_concert = strawberry.mutation(
        concerts.cancel_concert,
        description="Cancel a concert permanently. Its sale and its queue end, and every order is refunded.",
    )
    configure_waiting_room = strawberry.mutation(
        rooms.configure_waiting_room, description="Change the settings of a waiting room while it runs."
    )
    pause_waiting_room = strawberry.mutation(
        rooms.pause_waiting_room, description="Stop calling people. All entries keep their place in the queue."
    )
    resume_waiting_room = strawberry.mutation(rooms.resume_waiting_room, description="Resume calling people.")
    admit_next = strawberry.mutation(
        rooms.admit_next, description="Call people manually, within the limits of the waiting room."
    )
    reset_waiting_room = strawberry.mutation(
        rooms.reset_waiting_room, description="Empty the queue. People who were already called keep their turn."
    )


@strawberry.type(
    description=(
        "Each payload is a complete snapshot. The first one is the current state; you only need the latest one."
    )
)
class Subscription:
    stock_changed = strawberry.subscription(
        subscription_fields.stock_changed,
        graphql_type=Stock,
        description=(
            "The stock of a concert, whenever it changes. Also sent when the organizer changes the concert, and when"
            " the status of its waiting room changes, so that `concert` shows both."
        ),
    )
    queue_position = strawberry.subscription(
        subscription_fields.queue_position,
        graphql_type=QueuePosition,
        description=(
            "Your position in the queue, until your entry ends. No heartbeat is needed while the subscription runs."
        ),
    )
    hold_changed = strawberry.subscription(
        subscription_fields.hold_changed,
        graphql_type=Hold,
        description="Each of your holds for a concert, whenever it changes.",
    )
    order_updated = strawberry.subscription(
        subscription_fields.order_updated,
        graphql_type=Order,
        description=(
            "One of your orders, whenever it changes. Organizers can also watch the orders of their concerts, and"
            " admins can watch all orders."
        ),
    )
    waiting_room_changed = strawberry.subscription(
        subscription_fields.waiting_room_changed,
        graphql_type=WaitingRoom,
        description="A waiting room, whenever it changes. For the concert's organizer and admins.",
    )
    sales_changed = strawberry.subscription(
        subscription_fields.sales_changed,
        graphql_type=ConcertSales,
        description=(
            "The sales of a concert, after each sale and refund, at most once a second. For the concert's organizer and"
            " admins."
        ),
    )


_SCHEMA = strawberry.Schema(
    query=Query,
    mutation=Mutation,
    subscription=Subscription,
    types=[Concert, Tier, Hold, Order, QueueEntry],
    config=StrawberryConfig(scalar_map=SCALARS),
    exception_handlers=HANDLERS,
)
# Strawberry does not expose the schema of graphql-core publicly.
CORE_SCHEMA = _SCHEMA._schema  # noqa: SLF001
"""The schema that graphql-core executes, with permissions enforced on its fields."""
drop_null_defaults(CORE_SCHEMA)
mark_one_of_inputs(CORE_SCHEMA)
read_inputs_by_plan(CORE_SCHEMA)
add_plain_fields(CORE_SCHEMA, _SCHEMA.schema_converter, HANDLERS)
clear_before_mutations(CORE_SCHEMA)
subscription_fields.wrap_topic_fields(CORE_SCHEMA)
read_equal_fields_once(CORE_SCHEMA, ["Query", "Viewer"])
permissions.enforce_permissions(CORE_SCHEMA)
yield_in_long_lists(CORE_SCHEMA)
_COST_TABLE = build_cost_table(CORE_SCHEMA)
# A cached time would be out of date, and the link of an offer is a secret of those who have it.
_UNSHARED_FIELDS = permissions.RESTRICTED_FIELDS | {"Query.serverTime", "Query.ticketOffer"}


@dataclass(frozen=True, slots=True)
class DocumentRules:
    """Rules for the documents that clients of one process may send."""

    persisted_bytes: int = DEFAULT_BYTES
    """The memory for documents that clients register by hash. If 0, they cannot register any."""
    allows_introspection: bool = True
    """Whether clients may query the schema, and whether errors suggest names from it."""
    trusted_file: Path | None = None
    """The file of trusted documents. If it is set, clients may run no other documents, except those
    in `shop_file`.
    """
    shop_file: Path | None = None
    """The file with the documents of the shop, which clients may always run by hash."""
    limits: OperationLimits = DEFAULT_LIMITS
    """The limits on all documents, including trusted ones, and on their operations."""
    compiles_plans: bool = True
    """Whether documents that are used again are compiled. If not, graphql-core executes all."""


@dataclass(frozen=True, slots=True)
class Engine:
    """Runs operations under one set of rules."""

    executor: Executor
    starter: SubscriptionStarter


def build_engine(rules: DocumentRules) -> Engine:
    """Return an engine. Raises TrustedDocumentsError."""
    limits, allows_introspection = rules.limits, rules.allows_introspection
    cache = DocumentCache(
        CORE_SCHEMA,
        _COST_TABLE,
        unshared_fields=_UNSHARED_FIELDS,
        limits=limits,
        allows_introspection=allows_introspection,
        compiler=PlanCompiler(CORE_SCHEMA, object_type_of, INPUT_BOUNDS) if rules.compiles_plans else None,
    )
    documents = _open_documents(rules, cache)
    executor = Executor(CORE_SCHEMA, cache, documents, limits=limits, allows_introspection=allows_introspection)
    return Engine(executor, SubscriptionStarter(documents, executor))


def _open_documents(rules: DocumentRules, cache: DocumentCache) -> DocumentSource:
    trusted = read_trusted_documents(rules.trusted_file, cache, rules.limits) if rules.trusted_file else None
    shop = read_trusted_documents(rules.shop_file, cache, rules.limits) if rules.shop_file else {}
    if trusted is not None:
        return TrustedDocuments({**trusted, **shop}, cache if rules.allows_introspection else None)
    persisted = PersistedDocuments(rules.persisted_bytes) if rules.persisted_bytes else None
    return AnyDocuments(cache, persisted, known=shop)


_ENGINE = build_engine(DocumentRules())
# For programs that serve no clients.
execute = _ENGINE.executor.execute
start = _ENGINE.starter.start


def sdl() -> str:
    """Return the SDL of the schema, as committed in schema.graphql: its types, sorted by name.

    Strawberry would also define `@oneOf`, which the GraphQL specification already defines.
    """
    types = [type_ for _, type_ in sorted(CORE_SCHEMA.type_map.items())]
    own = (type_ for type_ in types if not (is_introspection_type(type_) or is_specified_scalar_type(type_)))
    return "\n\n".join(map(print_type, own)) + "\n"
