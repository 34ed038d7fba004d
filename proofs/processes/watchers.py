"""People with open sockets: some follow the stock, and some follow their place in a queue.

A person whose socket is lost opens another one at once, as the pages do.
"""

import asyncio
import random
import time
from collections import Counter
from dataclasses import dataclass, field

from bench.clients.queue_client import POSITION
from bench.clients.subscription import SocketLost, SocketRefused, subscribed

STOCK = "subscription ($id: ID!) { stockChanged(concertId: $id) { version epoch } }"
LONGEST_PAUSE_S = 1.0
OPENING_AT_ONCE = 50


@dataclass(slots=True)
class Watcher:
    concert_id: str
    token: str | None
    """None for a person who follows the stock without signing in."""
    is_open: bool = False
    lost_s: float | None = None
    """Since when the socket is lost."""
    away_s: list[float] = field(default_factory=list)
    """How long it took until each lost socket was replaced and showed something."""
    seen: dict[str, object] | None = None
    """The last push."""
    numbers: set[object] = field(default_factory=set)
    """The numbers in the queue that were pushed."""


class Watchers:
    def __init__(self, url: str, watchers: list[Watcher]) -> None:
        self.all = watchers
        self.lost = Counter[str]()
        self.surprises: list[str] = []
        self._url = url
        self._opening = asyncio.Semaphore(OPENING_AT_ONCE)
        self._tasks = [asyncio.create_task(self._watch(watcher)) for watcher in watchers]

    @property
    def open_count(self) -> int:
        return sum(watcher.is_open for watcher in self.all)

    def longest_away_s(self, now_s: float) -> float:
        """Return the longest time for which a person had no socket, also if it has not ended."""
        ended = [away_s for watcher in self.all for away_s in watcher.away_s]
        return max([0.0, *ended, *(now_s - w.lost_s for w in self.all if w.lost_s is not None)])

    async def aclose(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.wait(self._tasks)

    async def _watch(self, watcher: Watcher) -> None:
        while True:
            try:
                await self._follow(watcher)
            except SocketLost as lost:
                self.lost[str(lost)] += 1
            except SocketRefused as refused:
                self.surprises.append(str(refused))
                return
            if watcher.is_open:
                watcher.is_open, watcher.lost_s = False, time.monotonic()
            await asyncio.sleep(random.uniform(0, LONGEST_PAUSE_S))

    async def _follow(self, watcher: Watcher) -> None:
        document = STOCK if watcher.token is None else POSITION
        await self._opening.acquire()
        is_opening = True
        try:
            async with subscribed(self._url, watcher.token, document, {"id": watcher.concert_id}) as subscription:
                async for pushed in subscription:
                    if is_opening:
                        self._opening.release()
                        is_opening = False
                    self._show(watcher, pushed)
        finally:
            if is_opening:
                self._opening.release()

    def _show(self, watcher: Watcher, pushed: dict[str, object]) -> None:
        watcher.is_open, watcher.seen = True, pushed
        if watcher.token is not None:
            watcher.numbers.add(pushed["number"])
        if watcher.lost_s is not None:
            watcher.away_s.append(time.monotonic() - watcher.lost_s)
            watcher.lost_s = None
