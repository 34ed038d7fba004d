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
OPENING_AT_ONCE = 200


@dataclass(slots=True)
class Follower:
    concert_id: str
    token: str | None
    """None for a person who follows the stock without signing in."""
    is_open: bool = False
    lost_s: float | None = None
    """Since when the socket is lost."""
    seen: dict[str, object] | None = None
    """The last push."""
    numbers: set[object] = field(default_factory=set)
    """The numbers in the queue that were pushed."""


class Followers:
    def __init__(self, url: str, followers: list[Follower]) -> None:
        self.all = followers
        self.lost = Counter[str]()
        self.away_s: list[float] = []
        """How long it took until each lost socket was replaced and showed something."""
        self.surprises: list[str] = []
        self._url = url
        self._opening = asyncio.Semaphore(OPENING_AT_ONCE)
        self._tasks = [asyncio.create_task(self._keep_following(follower)) for follower in followers]

    @property
    def open_count(self) -> int:
        return sum(follower.is_open for follower in self.all)

    def still_away_s(self) -> list[float]:
        """Return for how long each person who has lost a socket has none now."""
        now_s = time.monotonic()
        return [now_s - follower.lost_s for follower in self.all if follower.lost_s is not None]

    async def aclose(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.wait(self._tasks)

    async def _keep_following(self, follower: Follower) -> None:
        while True:
            try:
                await self._follow(follower)
            except SocketLost as lost:
                self.lost[str(lost)] += 1
            except SocketRefused as refused:
                self.surprises.append(str(refused))
                return
            if follower.is_open:
                follower.is_open, follower.lost_s = False, time.monotonic()
            await asyncio.sleep(random.uniform(0, LONGEST_PAUSE_S))

    async def _follow(self, follower: Follower) -> None:
        document = STOCK if follower.token is None else POSITION
        await self._opening.acquire()
        is_opening = True
        try:
            async with subscribed(self._url, follower.token, document, {"id": follower.concert_id}) as subscription:
                async for pushed in subscription:
                    if is_opening:
                        self._opening.release()
                        is_opening = False
                    self._show(follower, pushed)
        finally:
            if is_opening:
                self._opening.release()

    def _show(self, follower: Follower, pushed: dict[str, object]) -> None:
        follower.is_open, follower.seen = True, pushed
        if follower.token is not None:
            follower.numbers.add(pushed["number"])
        if follower.lost_s is not None:
            self.away_s.append(time.monotonic() - follower.lost_s)
            follower.lost_s = None
