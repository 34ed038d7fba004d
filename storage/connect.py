"""Opens the stores for an app or a worker, one owner for all that runs behind them, and says what is not ready."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from pymongo.errors import PyMongoError
from redis.exceptions import RedisError

from storage.hot.events import EventStore
from storage.hot.holds import HoldStore
from storage.hot.hot_state import HotState
from storage.hot.queues import QueueStore
from storage.hot.script_client import ScriptClient
from storage.mongo.client import Client, Database, connect, database
from storage.mongo.concerts import ConcertStore
from storage.mongo.lotteries import LotteryStore
from storage.mongo.order_batch import OrderBatch
from storage.mongo.orders import OrderStore
from storage.mongo.queue_history import QueueHistory
from storage.mongo.room_audits import RoomAuditStore
from storage.sync.concert_cache import ConcertCache
from storage.sync.concert_writer import ConcertWriter
from storage.sync.detached import DetachedTasks
from storage.sync.lottery_opening import LotteryOpener
from storage.sync.order_sync import OrderSync
from storage.sync.recovery import Recovery

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
    hot_state: HotState
    concert_writer: ConcertWriter
    order_batch: OrderBatch
    order_sync: OrderSync
    recovery: Recovery
    lotteries: LotteryStore
    lottery_opener: LotteryOpener
    detached_tasks: DetachedTasks
    concert_cache: ConcertCache
    script_client: ScriptClient
    mongo: Database

    async def problems(self) -> list[str]:
        """One sentence for each thing that is not ready; none: ready."""
        hot, orders = await asyncio.gather(self._hot_problem(), self._mongo_problem())
        return [problem for problem in (hot, orders) if problem]

    async def _hot_problem(self) -> str | None:
        try:
            async with asyncio.timeout(READY_WITHIN_S):
                policy = await self.script_client.run_command("CONFIG", "GET", "maxmemory-policy")
        except (RedisError, OSError, TimeoutError) as error:
            return f"the stock store does not answer: {type(error).__name__}"
        if policy[1] != b"noeviction":
            return f"the stock store may evict keys: set maxmemory-policy to noeviction, not {policy[1].decode()}"
        return None

    async def _mongo_problem(self) -> str | None:
        try:
            async with asyncio.timeout(READY_WITHIN_S):
                hello = await self.mongo.command("hello")
                guarded = await self.orders.has_unit_guards()
        except (PyMongoError, TimeoutError) as error:
            return f"the order database does not answer: {type(error).__name__}"
        if not hello.get("isWritablePrimary"):
            return "the order database has no writable primary"
        return None if guarded else "the order database lacks the unique index on units or its schema"


@asynccontextmanager
async def open_stores(redis_url: str, mongo_url: str, mongo_database: str) -> AsyncIterator[Stores]:
    """Opens even when a store is away: `problems` says so, calls are refused as retryable, and all heals by itself."""
    client: Client = connect(mongo_url)
    link = ScriptClient(redis_url)
    stores = _assemble(link, database(client, mongo_database))
    declaring = asyncio.create_task(_declare(stores))
    try:
        yield stores
    finally:
        await stores.detached_tasks.aclose(patience_s=5)
        declaring.cancel()
        await asyncio.gather(declaring, return_exceptions=True)
        await stores.concert_cache.aclose()
        await stores.recovery.aclose()
        await stores.order_batch.aclose()
        await link.aclose()
        client.close()


def _assemble(link: ScriptClient, mongo: Database) -> Stores:
    concerts, orders, hot = ConcertStore(mongo), OrderStore(mongo), HotState(link)
    room_audits, lotteries = RoomAuditStore(mongo), LotteryStore(mongo)
    recorder = OrderSync(orders, hot)
    openings = LotteryOpener(hot, lotteries)
    recovery = Recovery(concerts, orders, hot, recorder, openings)
    return Stores(
        concerts=concerts,
        orders=orders,
        room_audits=room_audits,
        holds=HoldStore(link, recovery),
        queues=QueueStore(link, recovery),
        events=EventStore(link),
        queue_history=QueueHistory(mongo),
        hot_state=hot,
        concert_writer=ConcertWriter(mongo, concerts, orders, room_audits, lotteries, hot, recorder, recovery),
        order_batch=OrderBatch(orders),
        order_sync=recorder,
        recovery=recovery,
        lotteries=lotteries,
        lottery_opener=openings,
        detached_tasks=DetachedTasks(),
        concert_cache=ConcertCache(concerts),
        script_client=link,
        mongo=mongo,
    )


async def _declare(stores: Stores) -> None:
    """Indexes and schemas, as soon as MongoDB is there; every process says the same, so it may be said twice."""
    while True:
        try:
            await stores.concerts.create_indexes()
            await stores.queue_history.create_indexes()
            await stores.room_audits.create_indexes()
            # Last, because readiness asks for it.
            await stores.orders.create_indexes()
        except PyMongoError as error:
            log.warning("indexes are not declared yet: %s", error)
            await asyncio.sleep(DECLARE_AGAIN_AFTER_S)
        else:
            return
