"""The subscription fields. Each defines its topic and the payload built from a snapshot of the
topic.
"""

from collections.abc import Awaitable, Callable
from typing import Annotated, Any, assert_never

import strawberry
from graphql import GraphQLField, GraphQLResolveInfo, GraphQLSchema

from domain.analytics.sales import ConcertSales
from domain.concerts import Concert
from domain.errors import NotFound
from domain.holds import Hold
from domain.ids import ConcertId, OrderId
from domain.orders import Order
from domain.queues import WaitingRoom
from domain.topics import (
    HoldsTopic,
    OrderTopic,
    QueueSnapshot,
    QueueTopic,
    RoomTopic,
    SalesTopic,
    Snapshot,
    StockSnapshot,
    StockTopic,
)
from resolvers import concerts, orders
from resolvers.context import Context
from resolvers.permissions import require_organizer, visible_stock
from schema import ids
from schema.analytics.sales import build_concert_sales
from schema.execution.subscription_source import TopicEventStream
from schema.holds import build_hold
from schema.ids import Kind
from schema.orders import build_order
from schema.plans.plain_fields import PlainField, set_plain_field
from schema.queues import QueuePosition
from schema.rooms import WaitingRoom as ShownRoom
from schema.stock.stock import Stock as ShownStock
from schema.strawberry_fixes import ConcertIdArgument, Info


async def stock_changed(info: Info, concert_id: ConcertIdArgument) -> StockTopic:
    return StockTopic(await _concert(info.context, concert_id))


async def queue_position(info: Info, concert_id: ConcertIdArgument) -> QueueTopic:
    viewer = info.context.signed_in()
    return QueueTopic(await _concert(info.context, concert_id), viewer.person_id)


async def hold_changed(info: Info, concert_id: ConcertIdArgument) -> HoldsTopic:
    viewer = info.context.signed_in()
    return HoldsTopic(await _concert(info.context, concert_id), viewer.person_id)


async def order_updated(
    info: Info, order_id: Annotated[strawberry.ID, strawberry.argument(description="The id of the order.")]
) -> OrderTopic:
    wanted = OrderId(ids.argument("orderId", order_id, Kind.ORDER).parts[0])
    # The result is also None for another person's order, because its existence is private.
    if await orders.get_order(info.context, wanted) is None:
        raise NotFound("Order", wanted)
    return OrderTopic(wanted)


async def waiting_room_changed(info: Info, concert_id: ConcertIdArgument) -> RoomTopic:
    concert = await _find_concert(info.context, concert_id)
    require_organizer(info.context, concert)
    return RoomTopic(concert.id)


async def sales_changed(info: Info, concert_id: ConcertIdArgument) -> SalesTopic:
    concert = await _find_concert(info.context, concert_id)
    require_organizer(info.context, concert)
    return SalesTopic(concert.id)


async def _concert(context: Context, value: strawberry.ID) -> ConcertId:
    return (await _find_concert(context, value)).id


async def _find_concert(context: Context, value: strawberry.ID) -> Concert:
    """Return the cached concert.

    Raises BadUserInput for a malformed id, and NotFound if the viewer may not see the concert.
    """
    concert_id = ids.concert_argument(value)
    concert = await concerts.get_cached_concert(context, concert_id)
    if concert is None:
        raise NotFound("Concert", concert_id)
    return concert


def wrap_topic_fields(schema: GraphQLSchema) -> None:
    """Make each subscription field subscribe to a topic and build payloads from its snapshots."""
    for field in schema.subscription_type.fields.values() if schema.subscription_type else ():
        field.subscribe = _wrap_topic(field)
        field.resolve = _build_payload
        set_plain_field(field, PlainField(resolve=_build_payload))


def _wrap_topic(field: GraphQLField) -> Callable[..., Awaitable[TopicEventStream]]:
    find_topic = field.subscribe
    assert find_topic is not None

    async def event_stream(source: object, info: GraphQLResolveInfo[Context], **arguments: object) -> TopicEventStream:
        return TopicEventStream(await find_topic(source, info, **arguments))

    return event_stream


def _build_payload(snapshot: Snapshot, info: GraphQLResolveInfo[Context], **arguments: Any) -> object:
    """Return the payload. Objects that are linked to it show the same snapshot."""
    context = info.context
    match snapshot:
        case StockSnapshot(stock=stock, room=room):
            visible = visible_stock(context, stock)
            context.stocks.put(room.concert_id, visible)
            context.rooms.put(room.concert_id, room)
            return ShownStock.of(visible, room.concert_id)
        case QueueSnapshot(room=room, stock=stock):
            context.stocks.put(room.concert_id, visible_stock(context, stock))
            context.rooms.put(room.concert_id, room)
            return QueuePosition.of(snapshot, context.signed_in().person_id)
        case WaitingRoom():
            context.rooms.put(snapshot.concert_id, snapshot)
            return ShownRoom.of(snapshot)
        case Hold():
            return build_hold(context, snapshot)
        case Order():
            return build_order(context, snapshot)
        case ConcertSales():
            return build_concert_sales(context, snapshot)
    assert_never(snapshot)
