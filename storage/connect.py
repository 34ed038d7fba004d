"""Opens the stores for an app or a worker, one owner for all that runs behind them, and says what is not ready."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from pymongo.errors import PyMongoError
from redis.exceptions import RedisError

from storage.capacity import CapacityStore
from storage.concerts import ConcertStore
from storage.events import EventStore
from storage.holds import HoldStore
from storage.hot_state import HotState
from storage.link import Link
from storage.living import LivingConcerts
from storage.lotteries import LotteryStore
from storage.mongo import Client, Database, connect, database
from storage.opening import Openings
from storage.order_batch import OrderBatch
from storage.orders import OrderStore
from storage.queue_history import QueueHistory
from storage.queues import QueueStore
from storage.recording import Recorder
from storage.recovery import Recovery
from storage.room_audits import RoomAuditStore
from storage.tasks import Tasks

log = logging.getLogger(__name__)

READY_WITHIN_S = 2.0
DECLARE_AGAIN_AFTER_S = 1.0


@dataclass(frozen=True, slots=True)
class Stores:
    concerts: ConcertStore
    orders: OrderStore
    room_audits: RoomAuditStore
    holds: HoldStore
    queues: QueueStore
    events: EventStore
    queue_history: QueueHistory
    hot: HotState
    capacity: CapacityStore
    order_batch: OrderBatch
    recorder: Recorder
    recovery: Recovery
    lotteries: LotteryStore
    openings: Openings
    tasks: Tasks
    living: LivingConcerts
    link: Link
    mongo: Database

    async def problems(self) -> list[str]:
        """One sentence for each thing that is not ready; none: ready."""
        hot, orders = await asyncio.gather(self._hot_problem(), self._mongo_problem())
        return [problem for problem in (hot, orders) if problem]

    async def _hot_problem(self) -> str | None:
        try:
            async with asyncio.timeout(READY_WITHIN_S):
                policy = await self.link.run("CONFIG", "GET", "maxmemory-policy")
        except (RedisError, OSError, TimeoutError) as error:
            return f"the stock store does not answer: {type(error).__name__}"
        if policy[1] != b"noeviction":
            return f"the stock store may evict keys: set maxmemory-policy to noeviction, not {policy[1].decode()}"
        return None

    async def _mongo_problem(self) -> str | None:
        try:
            async with asyncio.timeout(READY_WITHIN_S):
                hello = await self.mongo.command("hello")
                guarded = await self.orders.is_guarded()
        except (PyMongoError, TimeoutError) as error:
            return f"the order database does not answer: {type(error).__name__}"
        if not hello.get("isWritablePrimary"):
            return "the order database has no writable primary"
        return None if guarded else "the order database lacks the unique index on units or its schema"


@asynccontextmanager
async def open_stores(redis_url: str, mongo_url: str, mongo_database: str) -> AsyncIterator[Stores]:
    """Opens even when a store is away: `problems` says so, calls are refused as retryable, and all heals by itself."""
    client: Client = connect(mongo_url)
    link = Link(redis_url)
    stores = _assemble(link, database(client, mongo_database))
    declaring = asyncio.create_task(_declare(stores))
    try:
        yield stores
    finally:
        await stores.tasks.aclose(patience_s=5)
        declaring.cancel()
        await asyncio.gather(declaring, return_exceptions=True)
        await stores.living.aclose()
        await stores.recovery.aclose()
        await stores.order_batch.aclose()
        await link.aclose()
        client.close()


def _assemble(link: Link, mongo: Database) -> Stores:
    concerts, orders, hot = ConcertStore(mongo), OrderStore(mongo), HotState(link)
    room_audits, lotteries = RoomAuditStore(mongo), LotteryStore(mongo)
    recorder = Recorder(orders, hot)
    openings = Openings(hot, lotteries)
    recovery = Recovery(concerts, orders, hot, recorder, openings)
    return Stores(
        concerts=concerts,
        orders=orders,
        room_audits=room_audits,
        holds=HoldStore(link, recovery),
        queues=QueueStore(link, recovery),
        events=EventStore(link),
        queue_history=QueueHistory(mongo),
        hot=hot,
        capacity=CapacityStore(mongo, concerts, orders, room_audits, lotteries, hot, recorder, recovery),
        order_batch=OrderBatch(orders),
        recorder=recorder,
        recovery=recovery,
        lotteries=lotteries,
        openings=openings,
        tasks=Tasks(),
        living=LivingConcerts(concerts),
        link=link,
        mongo=mongo,
    )


async def _declare(stores: Stores) -> None:
    """Indexes and schemas, as soon as MongoDB is there; every process says the same, so it may be said twice."""
    while True:
        try:
            await stores.concerts.declare()
            await stores.queue_history.declare()
            await stores.room_audits.declare()
            # Last, because readiness asks for it.
            await stores.orders.declare()
        except PyMongoError as error:
            log.warning("indexes are not declared yet: %s", error)
            await asyncio.sleep(DECLARE_AGAIN_AFTER_S)
        else:
            return
