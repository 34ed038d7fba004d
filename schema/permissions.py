"""Permissions: a single table of schema fields, which is applied when the schema is built.

Every root field has its own row; a subscription is checked once, when it starts. If the
objects of a type have an owner, one row covers all of its fields. Any other type is visible to
everyone who may see the field that returns it; individual fields of such a type may have a stricter
row, and must then be nullable.

A root field has no object yet, so its row checks the roles of the viewer. If the permission depends
on the concert, the resolver then checks it with `resolvers/permissions.py`. `docs/rights.md` lists
the outcome for each kind of viewer.
"""

from collections.abc import Callable, Collection, Mapping
from enum import Enum

from graphql import GraphQLField, GraphQLObjectType, GraphQLResolveInfo, GraphQLSchema

from auth.viewer import Role, Viewer
from domain.errors import Forbidden, Unauthenticated
from domain.ids import PersonId
from resolvers.context import NOT_SIGNED_IN, Context
from resolvers.permissions import not_at_the_gate, not_the_organizer
from schema.ids import Kind
from schema.plans.plain_fields import Check, add_check


class Permission(Enum):
    ANYONE = "anyone"
    SIGNED_IN = "signed in"
    SIGNED_IN_OR_NULL = "signed in, null for others"
    """A signed-out viewer gets null and no error, because a public page may query the field."""
    CUSTOMER = "customer"
    """Queueing and buying. With `ONSALE_BUYERS=signed-in`, no role is needed."""
    ORGANIZER = "organizer or admin"
    ADMIN = "admin"
    CONCERT_ORGANIZER = "the concert's organizer, or admin"
    CONCERT_GATE = "the concert's gate staff or organizer, or admin"
    OWNER = "owner, the concert's organizer, or admin"
    OWNER_ALONE = "owner"
    TICKET = "holder, buyer, the concert's gate staff or organizer, or admin"

    def check_roles(self, viewer: Viewer | None, *, signed_in_may_buy: bool = False) -> None:
        """Raise Unauthenticated, or Forbidden if the viewer's roles are never enough."""
        if self in (Permission.ANYONE, Permission.SIGNED_IN_OR_NULL):
            return
        if viewer is None:
            raise Unauthenticated(NOT_SIGNED_IN)
        needed = () if self is Permission.CUSTOMER and signed_in_may_buy else _ROLES.get(self, ())
        if needed and viewer.roles.isdisjoint(needed):
            role = needed[0].value
            who = "an admin" if role == "admin" else f"a person with the role {role}"
            raise Forbidden(f"Only {role}s can do this. You are signed in as {viewer.name}; sign in as {who}.")

    def check(
        self,
        viewer: Viewer | None,
        *,
        owner: PersonId | None = None,
        buyer: PersonId | None = None,
        organizer: PersonId | None = None,
        gate_people: Collection[PersonId] = (),
    ) -> None:
        """Raise Unauthenticated or Forbidden if the viewer lacks the permission for an object that
        belongs to `owner`, at a concert with this organizer and these gate staff. If the object is
        a ticket, `buyer` is the person who bought it.
        """
        self.check_roles(viewer)
        if viewer is None:
            return
        is_owner, organizes = viewer.person_id == owner, viewer.organizes(organizer)
        is_at_gate = Role.GATE in viewer.roles and viewer.person_id in gate_people
        match self:
            case Permission.CONCERT_ORGANIZER if not organizes:
                raise not_the_organizer(viewer)
            case Permission.CONCERT_GATE if not (is_at_gate or organizes):
                raise not_at_the_gate(viewer)
            case Permission.TICKET if not (is_owner or viewer.person_id == buyer or is_at_gate or organizes):
                raise Forbidden(
                    "This ticket belongs to another person."
                    f" You are signed in as {viewer.name}; sign in as its holder or its buyer."
                )
            case Permission.OWNER | Permission.OWNER_ALONE:
                if not is_owner and not (organizes and self is Permission.OWNER):
                    raise Forbidden(
                        f"This belongs to another person. You are signed in as {viewer.name}; sign in as its owner."
                    )


_ROLES: Mapping[Permission, tuple[Role, ...]] = {
    Permission.CUSTOMER: (Role.CUSTOMER,),
    Permission.ORGANIZER: (Role.ORGANIZER, Role.ADMIN),
    Permission.ADMIN: (Role.ADMIN,),
    Permission.CONCERT_ORGANIZER: (Role.ORGANIZER, Role.ADMIN),
    Permission.CONCERT_GATE: (Role.GATE, Role.ORGANIZER, Role.ADMIN),
}
"""The viewer needs at least one of these roles."""

PERMISSIONS: Mapping[str, Permission] = {
    "Query.concerts": Permission.ANYONE,
    "Query.concert": Permission.ANYONE,
    "Query.waitingRoom": Permission.ANYONE,
    "Query.queueEntry": Permission.SIGNED_IN_OR_NULL,
    "Query.order": Permission.SIGNED_IN,
    "Query.concertOrders": Permission.CONCERT_ORGANIZER,
    "Query.concertSales": Permission.CONCERT_ORGANIZER,
    "Query.ticketOffer": Permission.ANYONE,
    "Query.me": Permission.SIGNED_IN_OR_NULL,
    "Query.viewer": Permission.SIGNED_IN_OR_NULL,
    "Query.node": Permission.ANYONE,
    "Query.serverTime": Permission.ANYONE,
    "Mutation.joinQueue": Permission.CUSTOMER,
    "Mutation.leaveQueue": Permission.SIGNED_IN,
    "Mutation.heartbeat": Permission.CUSTOMER,
    "Mutation.claimQueuePass": Permission.CUSTOMER,
    "Mutation.holdTickets": Permission.CUSTOMER,
    "Mutation.releaseHold": Permission.SIGNED_IN,
    "Mutation.purchaseTickets": Permission.CUSTOMER,
    "Mutation.syncOrderPayment": Permission.SIGNED_IN,
    "Mutation.cancelOrder": Permission.SIGNED_IN,
    "Mutation.refundOrder": Permission.SIGNED_IN,
    "Mutation.transferTicket": Permission.SIGNED_IN,
    "Mutation.cancelTicketTransfer": Permission.SIGNED_IN,
    "Mutation.acceptTicketTransfer": Permission.SIGNED_IN,
    "Mutation.checkInTicket": Permission.CONCERT_GATE,
    "Mutation.checkInTickets": Permission.CONCERT_GATE,
    "Mutation.createConcert": Permission.ORGANIZER,
    "Mutation.copyConcert": Permission.CONCERT_ORGANIZER,
    "Mutation.deleteConcert": Permission.CONCERT_ORGANIZER,
    "Mutation.updateConcert": Permission.CONCERT_ORGANIZER,
    "Mutation.changeConcertOrganizer": Permission.ADMIN,
    "Mutation.publishConcert": Permission.CONCERT_ORGANIZER,
    "Mutation.closeConcert": Permission.CONCERT_ORGANIZER,
    "Mutation.cancelConcert": Permission.CONCERT_ORGANIZER,
    "Mutation.configureWaitingRoom": Permission.CONCERT_ORGANIZER,
    "Mutation.pauseWaitingRoom": Permission.CONCERT_ORGANIZER,
    "Mutation.resumeWaitingRoom": Permission.CONCERT_ORGANIZER,
    "Mutation.admitNext": Permission.CONCERT_ORGANIZER,
    "Mutation.resetWaitingRoom": Permission.CONCERT_ORGANIZER,
    "Subscription.stockChanged": Permission.ANYONE,
    "Subscription.queuePosition": Permission.SIGNED_IN,
    "Subscription.holdChanged": Permission.SIGNED_IN,
    "Subscription.orderUpdated": Permission.SIGNED_IN,
    "Subscription.waitingRoomChanged": Permission.CONCERT_ORGANIZER,
    "Subscription.salesChanged": Permission.CONCERT_ORGANIZER,
    "Concert.organizerId": Permission.CONCERT_ORGANIZER,
    "Concert.gatePeople": Permission.CONCERT_ORGANIZER,
    "Concert.cancellation": Permission.CONCERT_ORGANIZER,
    "Concert.problems": Permission.CONCERT_ORGANIZER,
    "Concert.myHold": Permission.SIGNED_IN_OR_NULL,
    "Concert.myQueueEntry": Permission.SIGNED_IN_OR_NULL,
    "Concert.sales": Permission.CONCERT_ORGANIZER,
    "Concert.orderExports": Permission.CONCERT_ORGANIZER,
    "WaitingRoom.flow": Permission.CONCERT_ORGANIZER,
    "WaitingRoom.audit": Permission.CONCERT_ORGANIZER,
    "ConcertSales.*": Permission.CONCERT_ORGANIZER,
    "QueueEntry.*": Permission.OWNER_ALONE,
    "QueuePass.*": Permission.OWNER_ALONE,
    "QueuePosition.*": Permission.OWNER_ALONE,
    "Hold.*": Permission.OWNER,
    "Order.*": Permission.OWNER,
    "Order.payment": Permission.OWNER_ALONE,
    "PaymentAttempt.*": Permission.OWNER_ALONE,
    "Ticket.*": Permission.TICKET,
}

RESTRICTED_FIELDS = frozenset(row for row, permission in PERMISSIONS.items() if permission is not Permission.ANYONE)
"""The rows whose fields depend on the caller."""

NODE_PERMISSIONS: Mapping[Kind, Permission] = {
    Kind.CONCERT: Permission.ANYONE,
    Kind.TIER: Permission.ANYONE,
    Kind.HOLD: Permission.SIGNED_IN,
    Kind.ORDER: Permission.SIGNED_IN,
    Kind.QUEUE_ENTRY: Permission.SIGNED_IN,
    Kind.TICKET: Permission.SIGNED_IN,
    Kind.VIEWER: Permission.SIGNED_IN,
}
"""`Query.node` itself is open; the row of the id's kind is checked before anything is read."""


def enforce_permissions(schema: GraphQLSchema) -> None:
    """Enforce every row on the fields it names. Raises KeyError for a root field without a row."""
    for root in (schema.query_type, schema.mutation_type):
        for name, field in (root.fields if root else {}).items():
            permission = PERMISSIONS[f"{root}.{name}"]
            if permission is not Permission.ANYONE:
                _guard(field, _check_root(permission))
    for name, field in (schema.subscription_type.fields if schema.subscription_type else {}).items():
        assert field.subscribe is not None
        field.subscribe = _guarded(_check_root(PERMISSIONS[f"Subscription.{name}"]), field.subscribe)
    roots = {str(root) for root in (schema.query_type, schema.mutation_type, schema.subscription_type)}
    for row, permission in PERMISSIONS.items():
        type_name, _, field_name = row.partition(".")
        if type_name not in roots:
            guarded = schema.type_map[type_name]
            assert isinstance(guarded, GraphQLObjectType)
            check = _check_field(permission)
            for field in guarded.fields.values() if field_name == "*" else (guarded.fields[field_name],):
                _guard(field, check)


def _guard(field: GraphQLField, check: Check) -> None:
    assert field.resolve is not None
    field.resolve = _guarded(check, field.resolve)
    add_check(field, check)


def _guarded(check: Check, resolve: Callable[..., object]) -> Callable[..., object]:
    def guarded(source: object, info: GraphQLResolveInfo[Context], **arguments: object) -> object:
        return resolve(source, info, **arguments) if check(source, info.context) else None

    return guarded


def _check_root(permission: Permission) -> Check:
    """Return the check of a root field: False for null. Raises Unauthenticated or Forbidden."""
    null_if_signed_out = permission is Permission.SIGNED_IN_OR_NULL
    enough = frozenset(_ROLES.get(permission, ()))

    def check(_: object, context: Context) -> bool:
        viewer = context.viewer
        if viewer is None and null_if_signed_out:
            return False
        if viewer is None or enough.isdisjoint(viewer.roles):
            permission.check_roles(viewer, signed_in_may_buy=context.signed_in_may_buy)
        return True

    return check


def _check_field(permission: Permission) -> Check:
    """Return the check of a field of an object. Raises Unauthenticated or Forbidden."""
    null_if_signed_out = permission is Permission.SIGNED_IN_OR_NULL
    is_organizers = permission is Permission.CONCERT_ORGANIZER
    is_owners = permission in (Permission.OWNER, Permission.OWNER_ALONE)
    is_for_gate = permission in (Permission.TICKET, Permission.CONCERT_GATE)

    def check(source: object, context: Context) -> bool:
        if null_if_signed_out and context.viewer is None:
            return False
        owner = getattr(source, "person_id", None)
        if is_owners:
            viewer = context.viewer
            if viewer is not None and viewer.person_id == owner:
                return True
        organizer = getattr(source, "organizer_id", None)
        if is_organizers and context.organizes(organizer):
            # The viewer is not read, so organizers and admins can share the payload of a push.
            return True
        buyer = getattr(source, "buyer_id", None) if is_for_gate else None
        gate_people = getattr(source, "gate_people", ()) if is_for_gate else ()
        permission.check(context.viewer, owner=owner, buyer=buyer, organizer=organizer, gate_people=gate_people)
        return True

    return check
