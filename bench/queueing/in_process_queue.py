"""A queue of thousands of people on a real store, and its memory use by kind of key.

The real scripts are called through the application's own store classes; only HTTP and sockets are
left out.
"""

import asyncio
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import redis.asyncio
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from auth.passes import PassSigner
from auth.viewer import Role, Viewer
from bench.clients.catalog import free_concert
from bench.metrics import Metric
from bench.queueing.environment import ROOM, STOCK
from bench.queueing.users import random_person_id
from domain.ids import ConcertId, PersonId
from resolvers.concerts import create_concert, publish_concert
from resolvers.context import Context, Resources
from storage.connect import Stores
from storage.embedded.supervisor import StoreUrls
from storage.keys import KINDS, concert_keys
from workers.admission import BOUND
from workers.expiry import MAX_HOLDS_PER_CALL
from workers.history import HistoryWorker

BATCH_SIZE = 500


@dataclass(frozen=True, slots=True)
class InProcessQueue:
    stores: Stores
    urls: StoreUrls
    resources: Resources

    @classmethod
    def of(cls, stores: Stores, urls: StoreUrls) -> "InProcessQueue":
        return cls(stores, urls, Resources(stores, PassSigner(Ed25519PrivateKey.generate())))

    def context(self, person_id: str, *roles: Role) -> Context:
        viewer = Viewer(PersonId(person_id), person_id, None, frozenset(roles or {Role.CUSTOMER}))
        return self.resources.context(viewer, "bench")

    async def open_concert(self, slots: int) -> ConcertId:
        olivia = self.context("olivia", Role.ORGANIZER)
        draft = free_concert(STOCK, datetime.now(UTC), replace(ROOM, total_active_users=slots))
        ends_at = draft.terms.sales_end_at + timedelta(days=1)
        created = await create_concert(
            olivia, replace(draft, terms=replace(draft.terms, sales_end_at=ends_at, starts_at=ends_at))
        )
        await publish_concert(olivia, created.id)
        return created.id

    async def join(self, concert_id: ConcertId, count: int) -> list[PersonId]:
        people = [PersonId(random_person_id()) for _ in range(count)]
        for first in range(0, count, BATCH_SIZE):
            await asyncio.gather(
                *[self.stores.queues.join(concert_id, person) for person in people[first : first + BATCH_SIZE]]
            )
        return people

    async def run_workers(self, concert_id: ConcertId) -> int:
        """Run the expiry and admission workers once; return the number of script calls."""
        await self.stores.hot_state.expire_holds(concert_id, limit=MAX_HOLDS_PER_CALL)
        is_bounded, calls = True, 1
        while is_bounded:
            is_bounded = (await self.stores.hot_state.run_admission(concert_id, bound=BOUND)).is_bounded
            calls += 1
        return calls

    async def consume_events(self, concert_id: ConcertId) -> None:
        """Let the history worker consume all events."""
        worker = HistoryWorker()
        while (await worker.run_for(self.stores, concert_id)).is_active:
            pass

    async def bytes_by_kind(self, concert_id: ConcertId) -> dict[str, int]:
        async with redis.asyncio.Redis.from_url(self.urls.redis) as client:
            sizes = [await client.memory_usage(key, samples=0) for key in concert_keys(concert_id)]
        return {kind: size or 0 for kind, size in zip(KINDS, sizes, strict=True)}

    async def count_absent(self, concert_id: ConcertId) -> int:
        """Return how many waiting people have no connection, according to the store."""
        async with redis.asyncio.Redis.from_url(self.urls.redis) as client:
            return int(await client.zcard(concert_keys(concert_id)[KINDS.index("presence_deadlines")]))

    async def script_calls(self) -> int:
        """Return the number of script calls by all clients since the store started."""
        async with redis.asyncio.Redis.from_url(self.urls.redis) as client:
            stats = await client.info("commandstats")
        return int(stats.get("cmdstat_evalsha", {}).get("calls", 0))


def per_waiter(name: str, sizes: dict[str, int], waiters: int, what: str, *, at_most: float | None = None) -> Metric:
    largest = sorted(sizes.items(), key=lambda pair: -pair[1])[:6]
    parts = ", ".join(f"{kind} {size / waiters:.0f}" for kind, size in largest if size >= waiters)
    return Metric(name, round(sum(sizes.values()) / waiters), f"{what}: {parts}", waiters, at_most)
