"""Opens the stores for an app or a worker, owns their background tasks, and reports which stores
are not ready.
"""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from pymongo.errors import PyMongoError

from domain.errors import TemporarilyUnavailable
from storage.database_stores import DatabaseStores
from storage.hot.events import EventStore
from storage.hot.guarded_client import GuardedClient
from storage.hot.hint_publisher import HintPublisher
from storage.hot.holds import HoldStore
from storage.hot.hot_state import HotState
from storage.hot.person_concerts import PersonConcerts
from storage.hot.queues import QueueStore
from storage.hot.rate_limits import CallCounter
from storage.hot.script_client import MAX_CALLS_PER_RUN, ScriptClient
from storage.hot.snapshots import SnapshotStore
from storage.keys import PAYMENT_EVENTS_CHANNEL
from storage.logins.issuer_logins import IssuerLogins
from storage.logins.login_sessions import LoginSessions
from storage.mongo.client import Client, connect, database
from storage.mongo.concert_transaction import ConcertTransaction
from storage.mongo.order_batch import OrderBatch
from storage.mongo.order_updates import OrderUpdates
from storage.mongo.payment_inbox import PaymentInbox
from storage.mongo.writes.checked_database import CheckedDatabase
from storage.readiness.addresses import shown_address
from storage.readiness.clocks import ClockCheck
from storage.readiness.hot_store import HotStoreCheck
from storage.readiness.layout import LayoutCheck
from storage.readiness.order_database import OrderDatabaseCheck
from storage.readiness.readiness import Readiness
from storage.sync.capacity_proposals import CapacityProposals
from storage.sync.concert_cache import ConcertCache
from storage.sync.concert_writer import ConcertWriter
from storage.sync.detached import DetachedTasks
from storage.sync.house_units import HouseUnits
from storage.sync.lottery_opening import LotteryOpener
from storage.sync.order_sync import OrderSync
from storage.sync.recovery import Recovery
from storage.sync.store_watch import StoreWatch
from storage.sync.superseded import SupersededConcerts
from telemetry.outage_log import OutageLog

log = logging.getLogger(__name__)

RETRY_INDEXES_AFTER_S = 1.0
LAYOUT_WITHIN_S = 1.0
"""How long a start waits for the layout numbers of the stores."""


class Stores(DatabaseStores):
    """All stores of a process, and the parts that keep Redis and MongoDB in agreement."""

    def __init__(self, client: ScriptClient, mongo: CheckedDatabase, hot_check: HotStoreCheck, mongo_url: str) -> None:
        super().__init__(mongo)
        self.script_client = client
        self.hot_state = HotState(client)
        self.person_concerts = PersonConcerts(client)
        self.events = EventStore(client)
        self.call_counter = CallCounter(client)
        self.login_sessions = LoginSessions(client)
        self.issuer_logins = IssuerLogins(client)
        self.detached_tasks = DetachedTasks()
        self.hint_publisher = HintPublisher(client, self.detached_tasks.start)
        self.order_batch = OrderBatch(self.orders)
        self.order_updates = OrderUpdates(self.orders)
        self.payment_inbox = PaymentInbox(
            mongo, publish_hint=lambda: self.hint_publisher.publish(PAYMENT_EVENTS_CHANNEL)
        )
        self.superseded = SupersededConcerts(self.concerts, self.hot_state, self.store_leases)
        client.refuse_if(self.superseded.contains)
        self.concert_cache = ConcertCache(self.concerts, on_read=self.superseded.compare)
        self.order_sync = OrderSync(self.orders, self.hot_state, self.person_concerts, self.concert_cache)
        self.lottery_opener = LotteryOpener(self.hot_state, self.lotteries)
        transaction = ConcertTransaction(
            mongo.client, self.concerts, self.orders, room_audits=self.room_audits, notices=self.notices
        )
        self.house_units = HouseUnits(
            self.concerts, self.orders, transaction=transaction, hot_state=self.hot_state, order_sync=self.order_sync
        )
        self.recovery = self._make_recovery()
        self.concert_writer = self._make_concert_writer(transaction)
        guarded = GuardedClient(client, self.recovery)
        self.holds = HoldStore(guarded)
        self.queues = QueueStore(guarded)
        self.snapshots = SnapshotStore(guarded)
        self.order_database_check = OrderDatabaseCheck(
            mongo, mongo_url, orders=self.orders, revocations=self.revocations, installation=self.installation
        )
        self.layout = LayoutCheck(
            client,
            mongo,
            self.installation,
            redis_address=hot_check.address,
            mongo_address=shown_address(mongo_url),
        )
        self.clocks = ClockCheck(client, mongo)
        self.store_watch = StoreWatch(
            self.concert_cache,
            self.hot_state,
            self.store_leases,
            layout=self.layout,
            clocks=self.clocks,
            address=hot_check.address,
        )
        self.readiness = Readiness(
            hot_check, self.order_database_check, self.superseded, layout=self.layout, clocks=self.clocks
        )

    def _make_recovery(self) -> Recovery:
        recovery = Recovery(
            self.concerts,
            self.hot_state,
            order_sync=self.order_sync,
            house_units=self.house_units,
            lottery_opener=self.lottery_opener,
        )
        self.superseded.take_back_with(recovery.rebuild)
        return recovery

    def _make_concert_writer(self, transaction: ConcertTransaction) -> ConcertWriter:
        return ConcertWriter(
            transaction,
            self.lotteries,
            hot_state=self.hot_state,
            house_units=self.house_units,
            proposals=CapacityProposals(self.concerts, self.hot_state, guard=self.recovery),
        )

    async def problems(self) -> list[str]:
        """Return one sentence for each store that is not ready."""
        return await self.readiness.problems()

    async def recent_problems(self) -> list[str]:
        """Return what `problems` found if that was less than a second ago; otherwise look again."""
        return await self.readiness.recent_problems()

    @property
    def warnings(self) -> list[str]:
        """Return one sentence for each condition of the stores that an operator should mend."""
        return self.readiness.warnings

    async def aclose(self) -> None:
        """Finish or cancel the tasks of the stores. The client and the database stay open."""
        await self.detached_tasks.aclose(patience_s=5)
        await self.readiness.aclose()
        await self.concert_cache.aclose()
        await self.superseded.aclose()
        await self.recovery.aclose()
        await self.order_batch.aclose()
        await self.order_updates.aclose()
        await self.payment_inbox.aclose()


@asynccontextmanager
async def open_stores(
    redis_url: str,
    mongo_url: str,
    mongo_database: str,
    *,
    batched_holds: bool = True,
    declares_noeviction: bool = False,
) -> AsyncIterator[Stores]:
    """Open the stores, create missing indexes and watch the stores in the background, and close
    the stores at the end of the block.

    With `batched_holds`, holds that are requested at the same time share a run of their script.
    With `declares_noeviction`, a Redis that hides its eviction policy counts as ready.

    An unreachable store raises no error here: `problems` reports the store, and calls raise
    TemporarilyUnavailable until it is available.
    """
    connecting = connect_stores(
        redis_url,
        mongo_url,
        mongo_database,
        batched_holds=batched_holds,
        declares_noeviction=declares_noeviction,
    )
    async with connecting as stores:
        # A newer layout is known before the first call. A store that does not answer is checked
        # again in the background.
        with suppress(TimeoutError):
            async with asyncio.timeout(LAYOUT_WITHIN_S):
                await stores.layout.check()
        background = [
            asyncio.create_task(_create_indexes(stores)),
            asyncio.create_task(stores.store_watch.run_forever()),
        ]
        try:
            yield stores
        finally:
            for task in background:
                task.cancel()
            await asyncio.gather(*background, return_exceptions=True)


@asynccontextmanager
async def connect_stores(
    redis_url: str,
    mongo_url: str,
    mongo_database: str,
    *,
    batched_holds: bool = True,
    declares_noeviction: bool = False,
) -> AsyncIterator[Stores]:
    """Open the stores on a database whose indexes exist, and close them at the end of the block."""
    mongo: Client = connect(mongo_url)
    client = ScriptClient(redis_url, max_calls_per_run=MAX_CALLS_PER_RUN if batched_holds else 1)
    hot_check = HotStoreCheck(client, redis_url, declares_noeviction=declares_noeviction)
    stores = Stores(client, database(mongo, mongo_database), hot_check, mongo_url)
    try:
        yield stores
    finally:
        await stores.aclose()
        await client.aclose()
        mongo.close()


async def _create_indexes(stores: Stores) -> None:
    """Create indexes and schemas as soon as MongoDB answers, and write missing search words.

    Every process does this, so it may happen more than once. Nothing is done in a database with a
    newer layout.
    """
    outage = OutageLog(log, "creating the indexes and search words")
    while True:
        try:
            if not await stores.layout.claim():
                await asyncio.sleep(RETRY_INDEXES_AFTER_S)
                continue
            await stores.concerts.create_indexes()
            await stores.queue_history.create_indexes()
            await stores.sales.create_indexes()
            await stores.room_audits.create_indexes()
            await stores.cancellations.create_indexes()
            await stores.revocations.create_indexes()
            await stores.payment_inbox.create_indexes()
            await stores.reconciliations.create_indexes()
            await stores.ticket_documents.create_indexes()
            await stores.images.create_indexes()
            await stores.order_exports.create_indexes()
            await stores.order_search.create_indexes()
            await stores.ticket_keys.create_indexes()
            await stores.mails.create_indexes()
            await stores.notices.create_indexes()
            await stores.store_leases.create_indexes()
            # These indexes are created last, because the readiness check depends on them.
            await stores.orders.create_indexes()
            await stores.concerts.backfill_search()
        except TemporarilyUnavailable:
            # Redis has a newer layout.
            await asyncio.sleep(RETRY_INDEXES_AFTER_S)
        except PyMongoError as error:
            stores.order_database_check.note_index_error(error)
            outage.failed("indexes", error)
            await asyncio.sleep(RETRY_INDEXES_AFTER_S)
        else:
            stores.order_database_check.note_index_error(None)
            outage.succeeded("indexes")
            return
