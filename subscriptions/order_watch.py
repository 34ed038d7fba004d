"""Watches orders: one `$in` a second for all that are watched here, each shown when its version rose."""

import asyncio
import logging

from domain.errors import NotFound, OnsaleError
from domain.ids import OrderId
from domain.topics import OrderTopic
from subscriptions.reader import Reader
from subscriptions.watchers import Member, Watchers

log = logging.getLogger(__name__)

LOOK_EVERY_S = 1.0


class OrderWatch:
    """`run` is owned by the hub and ends by itself when nobody watches."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._watchers = Watchers()
        self._versions: dict[OrderId, int] = {}
        self._wake = asyncio.Event()
        self.is_running = False

    def add(self, member: Member) -> None:
        self._watchers.add(member)
        self._wake.set()

    def remove(self, member: Member) -> None:
        self._watchers.remove(member)
        topic = member.source.topic
        if isinstance(topic, OrderTopic) and not self._watchers.is_watched(topic):
            self._versions.pop(topic.order_id, None)

    async def run(self) -> None:
        try:
            while True:
                try:
                    await self._look()
                except Exception as error:
                    if not isinstance(error, OnsaleError):
                        log.exception("watching orders failed")
                    for member in list(self._watchers.fresh()):
                        member.first.set_exception(error)
                if not self._watchers:
                    return
                self._wake.clear()
                try:
                    async with asyncio.timeout(LOOK_EVERY_S):
                        await self._wake.wait()
                except TimeoutError:
                    continue
        finally:
            self.is_running = False

    async def _look(self) -> None:
        self._watchers.make_due()
        watched = {topic.order_id: topic for topic in self._watchers.topics() if isinstance(topic, OrderTopic)}
        for order in await self._reader.orders(watched) if watched else ():
            is_newer = order.version > self._versions.get(order.id, 0)
            if await self._watchers.show(watched[order.id], order, only_fresh=not is_newer):
                self._versions[order.id] = order.version
        for member in list(self._watchers.fresh()):
            topic = member.source.topic
            if member.is_due and isinstance(topic, OrderTopic) and topic.order_id in watched:
                member.first.set_exception(NotFound("Order", topic.order_id))
