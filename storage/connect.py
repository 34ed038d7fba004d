"""Opens the stores for an app or a worker, owns their background tasks, and reports which stores
are not ready.
"""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from pymongo.errors import PyMongoError
from redis.exceptions import RedisError

from storage.hot.events import EventStore
from storage.hot.guarded_client import GuardedClient
from storage.hot.hint_publisher import HintPublisher
from storage.hot.holds import HoldStore
from storage.hot.hot_state import HotState
from storage.hot.login_sessions import LoginSessions
from storage.hot.person_concerts import PersonConcerts
from storage.hot.queues import QueueStore
from storage.hot.rate_limits import CallCounter
from storage.hot.script_client import MAX_CALLS_PER_RUN, ScriptClient
from storage.hot.snapshots import SnapshotStore
from storage.keys import PAYMENT_EVENTS_CHANNEL
from storage.mongo.analytics.queue_conversions import QueueConversionStore
from storage.mongo.analytics.sales import SalesStore
from storage.mongo.cancellations import CancellationStore
from storage.mongo.client import Client, Database, connect, database
from storage.mongo.concert_transaction import ConcertTransaction
from storage.mongo.concerts import ConcertStore
from storage.mongo.files.images import ImageStore
from storage.mongo.installation import InstallationStore
from storage.mongo.lotteries import LotteryStore
from storage.mongo.mails.dev_mailbox import DevMailbox
from storage.mongo.mails.notices import NoticeStore
from storage.mongo.mails.outbox import MailOutbox
from storage.mongo.order_batch import OrderBatch
from storage.mongo.order_updates import OrderUpdates
from storage.mongo.order_work import OrderWork, WorkerHeartbeats
from storage.mongo.orders import OrderStore
from storage.mongo.organizers.order_exports import OrderExportStore
from storage.mongo.organizers.order_search import OrderSearchStore
from storage.mongo.payment_inbox import PaymentInbox
from storage.mongo.payments.payment_figures import PaymentFiguresStore
from storage.mongo.payments.reconciliations import ReconciliationStore
from storage.mongo.queue_history import QueueHistory
from storage.mongo.revocations import RevocationStore
from storage.mongo.room_audits import RoomAuditStore
from storage.mongo.tickets.document_store import DocumentStore
from storage.mongo.tickets.effect_work import EffectWork
from storage.mongo.tickets.ticket_keys import TicketKeyStore
from storage.mongo.tickets.tickets import TicketStore
from storage.sync.capacity_proposals import CapacityProposals
from storage.sync.concert_cache import ConcertCache
from storage.sync.concert_writer import ConcertWriter
from storage.sync.detached import DetachedTasks
from storage.sync.house_units import HouseUnits
from storage.sync.lottery_opening import LotteryOpener
from storage.sync.order_sync import OrderSync
from storage.sync.recovery import Recovery
from telemetry.outage_log import OutageLog

log = logging.getLogger(__name__)

READY_WITHIN_S = 2.0
RETRY_INDEXES_AFTER_S = 1.0


@dataclass(frozen=True, slots=True)
class Stores:
    concerts: ConcertStore
    orders: OrderStore
    room_audits: RoomAuditStore
    cancellations: CancellationStore
    holds: HoldStore
    queues: QueueStore
    snapshots: SnapshotStore
    events: EventStore
    queue_history: QueueHistory
    queue_conversions: QueueConversionStore
    sales: SalesStore
    hot_state: HotState
    person_concerts: PersonConcerts
    call_counter: CallCounter
    login_sessions: LoginSessions
    concert_writer: ConcertWriter
    house_units: HouseUnits
    order_batch: OrderBatch
    order_updates: OrderUpdates
    order_work: OrderWork
    order_search: OrderSearchStore
    order_exports: OrderExportStore
    effect_work: EffectWork
    ticket_documents: DocumentStore
    images: ImageStore
    tickets: TicketStore
    ticket_keys: TicketKeyStore
    worker_heartbeats: WorkerHeartbeats
    installation: InstallationStore
    order_sync: OrderSync
    recovery: Recovery
    lotteries: LotteryStore
    lottery_opener: LotteryOpener
    revocations: RevocationStore
    payment_inbox: PaymentInbox
    payment_figures: PaymentFiguresStore
    reconciliations: ReconciliationStore
    mails: MailOutbox
    notices: NoticeStore
    dev_mailbox: DevMailbox
    hint_publisher: HintPublisher
    detached_tasks: DetachedTasks
    concert_cache: ConcertCache
    script_client: ScriptClient
    mongo: Database

    async def problems(self) -> list[str]:
        """Return one sentence for each store that is not ready."""
        hot, orders = await asyncio.gather(self._hot_problem(), self._mongo_problem())
        return [problem for problem in (hot, orders) if problem]

    async def _hot_problem(self) -> str | None:
        try:
            async with asyncio.timeout(READY_WITHIN_S):
                policy = await self.script_client.run_command("CONFIG", "GET", "maxmemory-policy")
        except (RedisError, OSError, TimeoutError) as error:
            return f"the stock store does not answer: {type(error).__name__}"
        if policy[1] != b"noeviction":
            return f"the stock store may evict keys: maxmemory-policy is {policy[1].decode()}; set it to noeviction"
        return None

    async def _mongo_problem(self) -> str | None:
        try:
            async with asyncio.timeout(READY_WITHIN_S):
                hello = await self.mongo.command("hello")
                has_guards = await self.orders.has_unit_guards()
                has_revocations = await self.revocations.has_indexes()
        except (PyMongoError, TimeoutError) as error:
            return f"the order database does not answer: {type(error).__name__}"
        if not hello.get("isWritablePrimary"):
            return "the order database has no writable primary; check its replica set"
        if not has_guards:
            return "the order database lacks the unique index on units or its schema"
        return None if has_revocations else "the order database lacks the indexes of ended sessions"


@asynccontextmanager
async def open_stores(
    redis_url: str, mongo_url: str, mongo_database: str, *, batched_holds: bool = True
) -> AsyncIterator[Stores]:
    """Open the stores, create missing indexes in the background, and close the stores at the end of
    the block.

    With `batched_holds`, holds that are requested at the same time share a run of their script.

    An unreachable store raises no error here: `problems` reports the store, and calls raise
    TemporarilyUnavailable until it is available.
    """
    async with connect_stores(redis_url, mongo_url, mongo_database, batched_holds=batched_holds) as stores:
        creating = asyncio.create_task(_create_indexes(stores))
        try:
            yield stores
        finally:
            creating.cancel()
            await asyncio.gather(creating, return_exceptions=True)


@asynccontextmanager
async def connect_stores(
    redis_url: str, mongo_url: str, mongo_database: str, *, batched_holds: bool = True
) -> AsyncIterator[Stores]:
    """Open the stores on a database whose indexes exist, and close them at the end of the block."""
    mongo: Client = connect(mongo_url)
    client = ScriptClient(redis_url, max_calls_per_run=MAX_CALLS_PER_RUN if batched_holds else 1)
    stores = _assemble(client, database(mongo, mongo_database))
    try:
        yield stores
    finally:
        await stores.detached_tasks.aclose(patience_s=5)
        await stores.concert_cache.aclose()
        await stores.recovery.aclose()
        await stores.order_batch.aclose()
        await stores.order_updates.aclose()
        await stores.payment_inbox.aclose()
        await client.aclose()
        mongo.close()


def _assemble(client: ScriptClient, mongo: Database) -> Stores:
    concerts, orders, lotteries = ConcertStore(mongo), OrderStore(mongo), LotteryStore(mongo)
    room_audits, hot_state = RoomAuditStore(mongo), HotState(client)
    person_concerts, concert_cache = PersonConcerts(client), ConcertCache(concerts)
    order_sync = OrderSync(orders, hot_state, person_concerts, concert_cache)
    lottery_opener = LotteryOpener(hot_state, lotteries)
    notices = NoticeStore(mongo)
    transaction = ConcertTransaction(mongo.client, concerts, orders, room_audits=room_audits, notices=notices)
    house_units = HouseUnits(concerts, orders, transaction=transaction, hot_state=hot_state, order_sync=order_sync)
    recovery = Recovery(
        concerts, hot_state, order_sync=order_sync, house_units=house_units, lottery_opener=lottery_opener
    )
    guarded, detached_tasks = GuardedClient(client, recovery), DetachedTasks()
    hint_publisher = HintPublisher(client, detached_tasks.start)
    proposals = CapacityProposals(concerts, hot_state, guard=recovery)
    return Stores(
        concerts=concerts,
        orders=orders,
        room_audits=room_audits,
        cancellations=CancellationStore(mongo),
        holds=HoldStore(guarded),
        queues=QueueStore(guarded),
        snapshots=SnapshotStore(guarded),
        events=EventStore(client),
        queue_history=QueueHistory(mongo),
        queue_conversions=QueueConversionStore(mongo),
        sales=SalesStore(mongo),
        hot_state=hot_state,
        person_concerts=person_concerts,
        call_counter=CallCounter(client),
        login_sessions=LoginSessions(client),
        concert_writer=ConcertWriter(
            transaction, lotteries, hot_state=hot_state, house_units=house_units, proposals=proposals
        ),
        house_units=house_units,
        order_batch=OrderBatch(orders),
        order_updates=OrderUpdates(orders),
        order_work=OrderWork(mongo),
        order_search=OrderSearchStore(mongo),
        order_exports=OrderExportStore(mongo),
        effect_work=EffectWork(mongo),
        ticket_documents=DocumentStore(mongo),
        images=ImageStore(mongo),
        tickets=TicketStore(mongo),
        ticket_keys=TicketKeyStore(mongo),
        worker_heartbeats=WorkerHeartbeats(mongo),
        installation=InstallationStore(mongo),
        order_sync=order_sync,
        recovery=recovery,
        lotteries=lotteries,
        lottery_opener=lottery_opener,
        revocations=RevocationStore(mongo),
        payment_inbox=PaymentInbox(mongo, publish_hint=lambda: hint_publisher.publish(PAYMENT_EVENTS_CHANNEL)),
        payment_figures=PaymentFiguresStore(mongo),
        reconciliations=ReconciliationStore(mongo),
        mails=MailOutbox(mongo),
        notices=notices,
        dev_mailbox=DevMailbox(mongo),
        hint_publisher=hint_publisher,
        detached_tasks=detached_tasks,
        concert_cache=concert_cache,
        script_client=client,
        mongo=mongo,
    )


async def _create_indexes(stores: Stores) -> None:
    """Create indexes and schemas as soon as MongoDB answers, and write missing search words.

    Every process does this, so it may happen more than once.
    """
    outage = OutageLog(log, "creating the indexes and search words")
    while True:
        try:
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
            # These indexes are created last, because the readiness check depends on them.
            await stores.orders.create_indexes()
            await stores.concerts.backfill_search()
        except PyMongoError as error:
            outage.failed("indexes", error)
            await asyncio.sleep(RETRY_INDEXES_AFTER_S)
        else:
            outage.succeeded("indexes")
            return
