"""A hub with a subscriber for each person in a queue, but no sockets.

Payloads are counted and discarded.
"""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

from bench.metrics import NotMeasured
from bench.queueing.in_process_queue import InProcessQueue
from bench.queueing.users import random_person_id
from domain.ids import ConcertId, PersonId
from domain.topics import QueueTopic
from resolvers.snapshots import StoreSnapshotReader
from schema import Operation, start
from schema.execution.subscription_source import SubscriptionSource
from schema.ids import of_concert
from subscriptions.hub import Hub, HubSubscription
from subscriptions.interfaces import ConcertSnapshot, Rendered

BATCH_SIZE = 2_000
REFRESH_WITHIN_S = 20.0


class CountingReader(StoreSnapshotReader):
    """Counts the refreshes and measures how long each takes.

    A refresh begins when the concert is read and ends with the last delivery before the next read.
    """

    def __init__(self, queue: InProcessQueue) -> None:
        resources = queue.resources
        super().__init__(queue.stores, resources.passes, resources.wait_tables)
        self.refreshes = 0
        self.took_ms: list[float] = []
        self.delivered = 0
        self._began_s = self._last_s = 0.0
        self._begun = asyncio.Event()

    async def read_snapshot(self, concert_id: ConcertId, *, after: int) -> ConcertSnapshot:
        if self._last_s > self._began_s:
            self.took_ms.append((self._last_s - self._began_s) * 1000)
        self._began_s = time.perf_counter()
        self.refreshes += 1
        self._begun.set()
        return await super().read_snapshot(concert_id, after=after)

    def record_delivery(self) -> None:
        self._last_s = time.perf_counter()
        self.delivered += 1

    def clear(self) -> None:
        self.took_ms.clear()

    async def wait_for_refresh(self) -> None:
        self._begun.clear()
        async with asyncio.timeout(REFRESH_WITHIN_S):
            await self._begun.wait()


class InProcessHub:
    """A hub with its subscribers. `calls` counts the script calls that people make themselves."""

    def __init__(
        self,
        queue: InProcessQueue,
        concert_id: ConcertId,
        hub: Hub,
        reader: CountingReader,
        source: SubscriptionSource,
    ) -> None:
        self.queue = queue
        self.reader = reader
        self.calls = 0
        self._concert_id = concert_id
        self._hub = hub
        self._source = source
        self._waiting: list[PersonId] = []
        """Everyone who joined and has not been removed, in the order of joining."""
        self._subscriptions: dict[PersonId, HubSubscription] = {}
        self._joining: set[asyncio.Task[None]] = set()
        self._random = random.Random(5)

    @classmethod
    @asynccontextmanager
    async def opened(
        cls,
        queue: InProcessQueue,
        concert_id: ConcertId,
        hub: Hub,
        reader: CountingReader,
        people: Sequence[PersonId],
        *,
        document: str,
    ) -> AsyncIterator["InProcessHub"]:
        operation = Operation(document, {"id": of_concert(concert_id)}, None)
        source = await start(operation, queue.context(people[0]))
        if not isinstance(source, SubscriptionSource):
            raise NotMeasured(f"a subscription was refused: {source}")
        opened = cls(queue, concert_id, hub, reader, source)
        try:
            for first in range(0, len(people), BATCH_SIZE):
                await asyncio.gather(*[opened._subscribe(person) for person in people[first : first + BATCH_SIZE]])
            opened._waiting += people
            yield opened
        finally:
            for task in opened._joining:
                task.cancel()
            await asyncio.gather(*opened._joining, return_exceptions=True)

    def take_first(self, count: int) -> list[PersonId]:
        """Remove and return the first `count` people, who have already been called."""
        first, self._waiting = self._waiting[:count], self._waiting[count:]
        return first

    def take_from_back_half(self, count: int) -> list[PersonId]:
        """Remove and return `count` random people from the second half of the queue."""
        half = len(self._waiting) // 2
        return [self._waiting.pop(self._random.randrange(half, len(self._waiting))) for _ in range(count)]

    async def leave(self, person_id: PersonId) -> None:
        self.calls += 1
        await self.queue.stores.queues.leave(self._concert_id, person_id)

    def close(self, person_id: PersonId) -> None:
        """Close a person's subscription; the entry is kept until the disconnect grace ends."""
        subscription = self._subscriptions.pop(person_id, None)
        if subscription is not None:
            subscription.close()

    def join(self, count: int) -> None:
        """Start tasks in which `count` new people join and subscribe.

        Each task ends when the next refresh has delivered the person's position.
        """
        for _ in range(count):
            task = asyncio.create_task(self._join_and_subscribe(PersonId(random_person_id())))
            self._joining.add(task)
            task.add_done_callback(self._joining.discard)

    async def _join_and_subscribe(self, person_id: PersonId) -> None:
        self.calls += 1
        await self.queue.stores.queues.join(self._concert_id, person_id)
        await self._subscribe(person_id)
        self._waiting.append(person_id)

    async def _subscribe(self, person_id: PersonId) -> None:
        topic = QueueTopic(self._concert_id, person_id)
        source = replace(self._source, topic=topic, viewer=self.queue.context(person_id).viewer)

        def deliver(rendered: Rendered) -> None:
            self.reader.record_delivery()
            if rendered.is_last:
                asyncio.get_running_loop().call_soon(self.close, person_id)

        self._subscriptions[person_id] = await self._hub.subscribe(source, deliver)
