"""Who may see or do what: ONE table over the fields of the schema, enforced where the schema is built.

Every root field has a row of its own; a subscription's is checked once, when it starts. A type is either owned by one
person, with a row for all of its fields, or it is seen by whoever may see the field that leads to it; single fields of
such a type, which must be nullable, may have a row that asks for more.
"""

from collections.abc import Callable, Mapping
from enum import Enum

from graphql import GraphQLObjectType, GraphQLResolveInfo, GraphQLSchema

from auth.viewer import Viewer
from domain.errors import Forbidden, Unauthenticated
from domain.ids import PersonId
from schema.ids import Kind
from schema.request import Request


class Right(Enum):
    ANYONE = "anyone"
    SIGNED_IN = "signed in"
    ORGANIZER = "organizer"
    OWNER = "owner or organizer"
    OWNER_ALONE = "owner"

    def check(self, viewer: Viewer | None, owner: PersonId | None = None) -> None:
        """Raises Unauthenticated or Forbidden."""
        if self is Right.ANYONE:
            return
        if viewer is None:
            raise Unauthenticated("Sign in first: send `Authorization: Bearer <access token>`.")
        if self is Right.SIGNED_IN or (viewer.is_organizer and self is not Right.OWNER_ALONE):
            return
        if self is Right.ORGANIZER:
            raise Forbidden(f"Only organizers may do this, and {viewer.name} is none; sign in as an organizer.")
        if viewer.person_id != owner:
            raise Forbidden(f"This belongs to somebody else; {viewer.name} may see what is theirs.")


RIGHTS: Mapping[str, Right] = {
    "Query.concerts": Right.ANYONE,
    "Query.concert": Right.ANYONE,
    "Query.waitingRoom": Right.ANYONE,
    "Query.queueEntry": Right.SIGNED_IN,
    "Query.order": Right.SIGNED_IN,
    "Query.me": Right.SIGNED_IN,
    "Query.node": Right.ANYONE,
    "Query.serverTime": Right.ANYONE,
    "Mutation.joinQueue": Right.SIGNED_IN,
    "Mutation.leaveQueue": Right.SIGNED_IN,
    "Mutation.heartbeat": Right.SIGNED_IN,
    "Mutation.claimQueuePass": Right.SIGNED_IN,
    "Mutation.holdTickets": Right.SIGNED_IN,
    "Mutation.releaseHold": Right.SIGNED_IN,
    "Mutation.purchaseTickets": Right.SIGNED_IN,
    "Mutation.createConcert": Right.ORGANIZER,
    "Mutation.updateConcert": Right.ORGANIZER,
    "Mutation.publishConcert": Right.ORGANIZER,
    "Mutation.closeConcert": Right.ORGANIZER,
    "Mutation.configureWaitingRoom": Right.ORGANIZER,
    "Mutation.pauseWaitingRoom": Right.ORGANIZER,
    "Mutation.resumeWaitingRoom": Right.ORGANIZER,
    "Mutation.admitNext": Right.ORGANIZER,
    "Mutation.resetWaitingRoom": Right.ORGANIZER,
    "Subscription.stockChanged": Right.ANYONE,
    "Subscription.queuePosition": Right.SIGNED_IN,
    "Subscription.holdChanged": Right.SIGNED_IN,
    "Subscription.orderUpdated": Right.SIGNED_IN,
    "Subscription.waitingRoomChanged": Right.ORGANIZER,
    "WaitingRoom.flow": Right.ORGANIZER,
    "WaitingRoom.audit": Right.ORGANIZER,
    "QueueEntry.*": Right.OWNER_ALONE,
    "QueuePass.*": Right.OWNER_ALONE,
    "QueuePosition.*": Right.OWNER_ALONE,
    "Hold.*": Right.OWNER,
    "Order.*": Right.OWNER,
}

NODE_RIGHTS: Mapping[Kind, Right] = {
    Kind.CONCERT: Right.ANYONE,
    Kind.TIER: Right.ANYONE,
    Kind.HOLD: Right.SIGNED_IN,
    Kind.ORDER: Right.SIGNED_IN,
    Kind.QUEUE_ENTRY: Right.SIGNED_IN,
}
"""`Query.node` is open, and what it finds is not: the row of the kind decides before anything is read."""


def enforce(schema: GraphQLSchema) -> None:
    """Puts every row in front of the fields it names. KeyError for a root field without a row."""
    for root in (schema.query_type, schema.mutation_type):
        for name, field in (root.fields if root else {}).items():
            field.resolve = _guarded(field.resolve, RIGHTS[f"{root}.{name}"])
    for name, field in (schema.subscription_type.fields if schema.subscription_type else {}).items():
        field.subscribe = _guarded(field.subscribe, RIGHTS[f"Subscription.{name}"])
    roots = {str(root) for root in (schema.query_type, schema.mutation_type, schema.subscription_type)}
    for row, right in RIGHTS.items():
        type_name, _, field_name = row.partition(".")
        if type_name not in roots:
            guarded = schema.type_map[type_name]
            assert isinstance(guarded, GraphQLObjectType)
            for field in guarded.fields.values() if field_name == "*" else (guarded.fields[field_name],):
                field.resolve = _guarded(field.resolve, right)


def _guarded(resolve: Callable[..., object] | None, right: Right) -> Callable[..., object]:
    assert resolve is not None
    if right is Right.ANYONE:
        return resolve

    def guarded(source: object, info: GraphQLResolveInfo[Request], **arguments: object) -> object:
        right.check(info.context.context.viewer, getattr(source, "person_id", None))
        return resolve(source, info, **arguments)

    return guarded
