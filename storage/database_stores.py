"""The stores that need nothing but a MongoDB database."""

from storage.mongo.analytics.queue_conversions import QueueConversionStore
from storage.mongo.analytics.sales import SalesStore
from storage.mongo.cancellations import CancellationStore
from storage.mongo.client import Database
from storage.mongo.concerts import ConcertStore
from storage.mongo.files.images import ImageStore
from storage.mongo.installation import InstallationStore
from storage.mongo.lotteries import LotteryStore
from storage.mongo.mails.dev_mailbox import DevMailbox
from storage.mongo.mails.notices import NoticeStore
from storage.mongo.mails.outbox import MailOutbox
from storage.mongo.order_work import OrderWork, WorkerHeartbeats
from storage.mongo.orders import OrderStore
from storage.mongo.organizers.order_exports import OrderExportStore
from storage.mongo.organizers.order_search import OrderSearchStore
from storage.mongo.payments.payment_figures import PaymentFiguresStore
from storage.mongo.payments.reconciliations import ReconciliationStore
from storage.mongo.queue_history import QueueHistory
from storage.mongo.revocations import RevocationStore
from storage.mongo.room_audits import RoomAuditStore
from storage.mongo.tickets.document_store import DocumentStore
from storage.mongo.tickets.effect_work import EffectWork
from storage.mongo.tickets.ticket_keys import TicketKeyStore
from storage.mongo.tickets.tickets import TicketStore


class DatabaseStores:
    """One store for each purpose. The database belongs to the caller."""

    def __init__(self, mongo: Database) -> None:
        self.mongo = mongo
        self.concerts = ConcertStore(mongo)
        self.orders = OrderStore(mongo)
        self.lotteries = LotteryStore(mongo)
        self.room_audits = RoomAuditStore(mongo)
        self.notices = NoticeStore(mongo)
        self.revocations = RevocationStore(mongo)
        self.installation = InstallationStore(mongo)
        self.cancellations = CancellationStore(mongo)
        self.queue_history = QueueHistory(mongo)
        self.queue_conversions = QueueConversionStore(mongo)
        self.sales = SalesStore(mongo)
        self.order_work = OrderWork(mongo)
        self.order_search = OrderSearchStore(mongo)
        self.order_exports = OrderExportStore(mongo)
        self.effect_work = EffectWork(mongo)
        self.ticket_documents = DocumentStore(mongo)
        self.images = ImageStore(mongo)
        self.tickets = TicketStore(mongo)
        self.ticket_keys = TicketKeyStore(mongo)
        self.worker_heartbeats = WorkerHeartbeats(mongo)
        self.payment_figures = PaymentFiguresStore(mongo)
        self.reconciliations = ReconciliationStore(mongo)
        self.mails = MailOutbox(mongo)
        self.dev_mailbox = DevMailbox(mongo)
