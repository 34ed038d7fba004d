"""Who watches what in this process: a watch for each concert and one for orders, in them groups of subscriptions."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from domain.ids import ConcertId
from domain.topics import OrderTopic, Topic
from storage.keys import hints_channel
from subscriptions.bands import Bands
from subscriptions.concert_watch import ConcertWatch
from subscriptions.feed import Feed
from subscriptions.order_watch import OrderWatch
from subscriptions.reader import Liveness, Reader
from subscriptions.sources import Source
from subscriptions.watchers import Deliver, Member


class Watch:
    """A subscription that delivers until it is closed."""

    def __init__(self, close: Callable[[], None]) -> None:
        self._close = close

    def close(self) -> None:
        self._close()


class Hub:
    """Owns a task for each concert that is watched, and one for orders."""

    def __init__(self, feed: Feed, reader: Reader, liveness: Liveness, *, tick_s: float, bands: Bands) -> None:
        self._feed = feed
        self._reader = reader
        self._liveness = liveness
        self._tick_s = tick_s
        self._bands = bands
        self._concerts: dict[ConcertId, ConcertWatch] = {}
        self._orders = OrderWatch(reader)
        self._tasks: set[asyncio.Task[None]] = set()

    async def watch(self, source: Source, deliver: Deliver) -> Watch:
        """Delivers the newest state now and whenever it changes. Raises an OnsaleError where it cannot be read."""
        member = Member(source, deliver)
        watching = self._watch_of(source.topic)
        watching.add(member)
        try:
            await member.first
        except BaseException:
            watching.remove(member)
            raise
        return Watch(lambda: watching.remove(member))

    def _watch_of(self, topic: Topic) -> ConcertWatch | OrderWatch:
        if isinstance(topic, OrderTopic):
            if not self._orders.is_running:
                self._orders.is_running = True
                self._own(self._orders.run())
            return self._orders
        watching = self._concerts.get(topic.concert_id)
        if watching is None:
            watching = ConcertWatch(
                topic.concert_id, self._reader, self._liveness, tick_s=self._tick_s, bands=self._bands
            )
            self._concerts[topic.concert_id] = watching
            self._own(self._run(topic.concert_id, watching))
        return watching

    async def _run(self, concert_id: ConcertId, watching: ConcertWatch) -> None:
        channel = hints_channel(concert_id)
        # The first member is added in the same turn of the loop as this task is made.
        self._feed.listen(channel, watching.notice)
        try:
            while not watching.is_idle:
                await watching.run()
        finally:
            # No await before this: a watch that ends must not be found by somebody who comes now.
            if self._concerts.get(concert_id) is watching:
                del self._concerts[concert_id]
            await self._feed.leave(channel)

    def _own(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def aclose(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
