"""Publishes the stock of a concert to all subscribers, and its waiting room to organizers.

A change to the concert is published with the stock, so that people without a place in the queue see
that the sale is paused, closed or canceled.
"""

from dataclasses import replace

from domain.ids import ConcertId
from domain.queues import WaitingRoom
from domain.topics import RoomTopic, StockSnapshot, StockTopic
from subscriptions.publishing.shared_snapshot import SharedSnapshot
from subscriptions.publishing.subscriber_groups import SubscriberGroups


class RoomPublisher:
    def __init__(self, concert_id: ConcertId, groups: SubscriberGroups) -> None:
        self._groups = groups
        self._stock_topic, self._room_topic = StockTopic(concert_id), RoomTopic(concert_id)
        self._sale: tuple[object, ...] | None = None
        self._room: WaitingRoom | None = None

    async def refresh(self, shared: SharedSnapshot) -> None:
        stock, room = shared.stock, shared.room_snapshot.room
        sale = (stock.epoch, stock.tiers, shared.room_snapshot.state.concert_version, room.status)
        snapshot = StockSnapshot(stock, room)
        if await self._groups.publish(self._stock_topic, snapshot, only_pending=sale == self._sale):
            self._sale = sale
        if not self._groups.has_subscribers(self._room_topic):
            # Few concerts have an organizer who is subscribed, and the comparison takes time.
            self._room = None
            return
        has_room_changed = self._room is None or _without_time(room) != _without_time(self._room)
        if await self._groups.publish(self._room_topic, room, only_pending=not has_room_changed):
            self._room = room


def _without_time(room: WaitingRoom) -> WaitingRoom:
    """Return the room without its clock and version, which increase without a visible change."""
    return replace(room, version=0, flow=replace(room.flow, now_s=0.0))
