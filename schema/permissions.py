"""Permissions: a single table of schema fields, which is applied when the schema is built.

Every root field has its own row; a subscription is checked once, when it starts. A type either has
one owner, and one row for all of its fields, or is visible to every viewer of the field that
returns it. Individual fields of such a type may have a stricter row; they must be nullable.
"""

from collections.abc import Callable, Mapping
from enum import Enum

from graphql import GraphQLObjectType, GraphQLResolveInfo, GraphQLSchema

from auth.viewer import Viewer
from domain.errors import Forbidden, Unauthenticated
from domain.ids import PersonId
from resolvers.context import NOT_SIGNED_IN, Context
from schema.ids import Kind


class Permission(Enum):
    ANYONE = "anyone"
    SIGNED_IN = "signed in"
    SIGNED_IN_OR_NULL = "signed in, null for others"
    """A signed-out viewer gets null and no error, because a public page may query the field."""
    ORGANIZER = "organizer"
    OWNER = "owner or organizer"
    OWNER_ALONE = "owner"

    def check(self, viewer: Viewer | None, owner: PersonId | None = None) -> None:
        """Raise Unauthenticated or Forbidden if the viewer lacks the permission."""
        if self in (Permission.ANYONE, Permission.SIGNED_IN_OR_NULL):
            return
        if viewer is None:
            raise Unauthenticated(NOT_SIGNED_IN)
        if self is Permission.SIGNED_IN or (viewer.is_organizer and self is not Permission.OWNER_ALONE):
            return
        if self is Permission.ORGANIZER:
            raise Forbidden(
                f"Only organizers can do this. You are signed in as {viewer.name}; sign in as an organizer."
            )
        if viewer.person_id != owner:
            raise Forbidden(
                f"This belongs to another person. You are signed in as {viewer.name}; sign in as its owner."
            )


PERMISSIONS: Mapping[str, Permission] = {
    "Query.concerts": Permission.ANYONE,
    "Query.concert": Permission.ANYONE,
    "Query.waitingRoom": Permission.ANYONE,
    "Query.queueEntry": Permission.SIGNED_IN_OR_NULL,
    "Query.order": Permission.SIGNED_IN,
    "Query.me": Permission.SIGNED_IN_OR_NULL,
    "Query.node": Permission.ANYONE,
    "Query.serverTime": Permission.ANYONE,
    "Mutation.joinQueue": Permission.SIGNED_IN,
    "Mutation.leaveQueue": Permission.SIGNED_IN,
    "Mutation.heartbeat": Permission.SIGNED_IN,
    "Mutation.claimQueuePass": Permission.SIGNED_IN,
    "Mutation.holdTickets": Permission.SIGNED_IN,
    "Mutation.releaseHold": Permission.SIGNED_IN,
    "Mutation.purchaseTickets": Permission.SIGNED_IN,
    "Mutation.createConcert": Permission.ORGANIZER,
    "Mutation.updateConcert": Permission.ORGANIZER,
    "Mutation.publishConcert": Permission.ORGANIZER,
    "Mutation.closeConcert": Permission.ORGANIZER,
    "Mutation.configureWaitingRoom": Permission.ORGANIZER,
    "Mutation.pauseWaitingRoom": Permission.ORGANIZER,
    "Mutation.resumeWaitingRoom": Permission.ORGANIZER,
    "Mutation.admitNext": Permission.ORGANIZER,
    "Mutation.resetWaitingRoom": Permission.ORGANIZER,
    "Subscription.stockChanged": Permission.ANYONE,
    "Subscription.queuePosition": Permission.SIGNED_IN,
    "Subscription.holdChanged": Permission.SIGNED_IN,
    "Subscription.orderUpdated": Permission.SIGNED_IN,
    "Subscription.waitingRoomChanged": Permission.ORGANIZER,
    "WaitingRoom.flow": Permission.ORGANIZER,
    "WaitingRoom.audit": Permission.ORGANIZER,
    "QueueEntry.*": Permission.OWNER_ALONE,
    "QueuePass.*": Permission.OWNER_ALONE,
    "QueuePosition.*": Permission.OWNER_ALONE,
    "Hold.*": Permission.OWNER,
    "Order.*": Permission.OWNER,
}

NODE_PERMISSIONS: Mapping[Kind, Permission] = {
    Kind.CONCERT: Permission.ANYONE,
    Kind.TIER: Permission.ANYONE,
    Kind.HOLD: Permission.SIGNED_IN,
    Kind.ORDER: Permission.SIGNED_IN,
    Kind.QUEUE_ENTRY: Permission.SIGNED_IN,
}
"""`Query.node` itself is open; the row of the id's kind is checked before anything is read."""


def enforce_permissions(schema: GraphQLSchema) -> None:
    """Enforce every row on the fields it names. Raises KeyError for a root field without a row."""
    for root in (schema.query_type, schema.mutation_type):
        for name, field in (root.fields if root else {}).items():
            field.resolve = _guarded(field.resolve, PERMISSIONS[f"{root}.{name}"])
    for name, field in (schema.subscription_type.fields if schema.subscription_type else {}).items():
        field.subscribe = _guarded(field.subscribe, PERMISSIONS[f"Subscription.{name}"])
    roots = {str(root) for root in (schema.query_type, schema.mutation_type, schema.subscription_type)}
    for row, permission in PERMISSIONS.items():
        type_name, _, field_name = row.partition(".")
        if type_name not in roots:
            guarded = schema.type_map[type_name]
            assert isinstance(guarded, GraphQLObjectType)
            for field in guarded.fields.values() if field_name == "*" else (guarded.fields[field_name],):
                field.resolve = _guarded(field.resolve, permission)


def _guarded(resolve: Callable[..., object] | None, permission: Permission) -> Callable[..., object]:
    assert resolve is not None
    if permission is Permission.ANYONE:
        return resolve

    def guarded(source: object, info: GraphQLResolveInfo[Context], **arguments: object) -> object:
        viewer = info.context.viewer
        if viewer is None and permission is Permission.SIGNED_IN_OR_NULL:
            return None
        permission.check(viewer, getattr(source, "person_id", None))
        return resolve(source, info, **arguments)

    return guarded
