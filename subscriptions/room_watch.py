"""What everybody may see of a concert here: its stock, and for those who run it, its room while that moves."""

from dataclasses import replace

from domain.ids import ConcertId
from domain.queues import WaitingRoom
from domain.stock import Stock
from domain.topics import RoomTopic, StockTopic
from subscriptions.scene import Scene
from subscriptions.watchers import Watchers


class RoomWatch:
    def __init__(self, concert_id: ConcertId, watchers: Watchers) -> None:
        self._watchers = watchers
        self._stock_topic, self._room_topic = StockTopic(concert_id), RoomTopic(concert_id)
        self._stock: Stock | None = None
        self._room: WaitingRoom | None = None

    async def look(self, scene: Scene) -> None:
        stock, room = scene.stock, scene.view.room
        is_moved = self._stock is None or (stock.epoch, stock.tiers) != (self._stock.epoch, self._stock.tiers)
        if await self._watchers.show(self._stock_topic, stock, only_fresh=not is_moved):
            self._stock = stock
        is_changed = self._room is None or _without_time(room) != _without_time(self._room)
        if await self._watchers.show(self._room_topic, room, only_fresh=not is_changed):
            self._room = room


def _without_time(room: WaitingRoom) -> WaitingRoom:
    """A version may rise for what nobody sees of a room, and its clock always does."""
    return replace(room, version=0, flow=replace(room.flow, now_s=0.0))
