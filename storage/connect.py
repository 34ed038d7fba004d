"""Opens the stores for an app or a worker, owns their background tasks, and reports which stores
are not ready.
"""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from pymongo.errors import PyMongoError

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
from storage.mongo.installation import InstallationStore, StoreLeases
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
from storage.readiness.hot_store import HotStoreCheck
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
    store_leases: StoreLeases
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
    superseded: SupersededConcerts
    store_watch: StoreWatch
    order_database_check: OrderDatabaseCheck
    readiness: Readiness
    mongo: Database

    async def problems(self) -> list[str]:
        """Return one sentence for each store that is not ready."""
        return await self.readiness.problems()


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
    stores = _assemble(client, database(mongo, mongo_database), hot_check, mongo_url)
    try:
        yield stores
    finally:
        await stores.detached_tasks.aclose(patience_s=5)
        await stores.readiness.aclose()
        await stores.concert_cache.aclose()
        await stores.superseded.aclose()
        await stores.recovery.aclose()
        await stores.order_batch.aclose()
        await stores.order_updates.aclose()
        await stores.payment_inbox.aclose()
        await client.aclose()
        mongo.close()


def _assemble(client: ScriptClient, mongo: Database, hot_check: HotStoreCheck, mongo_url: str) -> Stores:
    concerts, orders, lotteries = ConcertStore(mongo), OrderStore(mongo), LotteryStore(mongo)
    room_audits, hot_state = RoomAuditStore(mongo), HotState(client)
    leases = StoreLeases(mongo)
    superseded = SupersededConcerts(concerts, hot_state, leases)
    client.refuse_if(superseded.contains)
    person_concerts, concert_cache = PersonConcerts(client), ConcertCache(concerts, on_read=superseded.compare)
    order_sync = OrderSync(orders, hot_state, person_concerts, concert_cache)
    lottery_opener = LotteryOpener(hot_state, lotteries)
    notices = NoticeStore(mongo)
    transaction = ConcertTransaction(mongo.client, concerts, orders, room_audits=room_audits, notices=notices)
    house_units = HouseUnits(concerts, orders, transaction=transaction, hot_state=hot_state, order_sync=order_sync)
    recovery = Recovery(
        concerts, hot_state, order_sync=order_sync, house_units=house_units, lottery_opener=lottery_opener
    )
    superseded.take_back_with(recovery.rebuild)
    guarded = GuardedClient(client, recovery)
    detached_tasks = DetachedTasks()
    hint_publisher = HintPublisher(client, detached_tasks.start)
    proposals = CapacityProposals(concerts, hot_state, guard=recovery)
    revocations, installation = RevocationStore(mongo), InstallationStore(mongo)
    order_database_check = OrderDatabaseCheck(
        mongo, mongo_url, orders=orders, revocations=revocations, installation=installation
    )
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
        installation=installation,
        store_leases=leases,
        order_sync=order_sync,
        recovery=recovery,
        lotteries=lotteries,
        lottery_opener=lottery_opener,
        revocations=revocations,
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
        order_database_check=order_database_check,
        superseded=superseded,
        store_watch=StoreWatch(concert_cache, hot_state, leases, address=hot_check.address),
        readiness=Readiness(hot_check, order_database_check, superseded),
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
            await stores.store_leases.create_indexes()
            # These indexes are created last, because the readiness check depends on them.
            await stores.orders.create_indexes()
            await stores.concerts.backfill_search()
        except PyMongoError as error:
            stores.order_database_check.note_index_error(error)
            outage.failed("indexes", error)
            await asyncio.sleep(RETRY_INDEXES_AFTER_S)
        else:
            stores.order_database_check.note_index_error(None)
            outage.succeeded("indexes")
            return
