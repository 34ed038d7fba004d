"""`python -m proofs.payments.crashing_worker`: runs all workers, and kills itself at random crash
points.
"""

import argparse
import asyncio
from pathlib import Path

from bench.clients.servers import DATABASE
from mail.opening import make_mailer
from payments.providers import open_provider
from payments.saga.crash_points import CrashPoint
from payments.saga.order_payments import OrderPayments
from payments.sandbox.defaults import SECRET_KEY, WEBHOOK_SECRET
from proofs.payments.crashes import CrashPlan
from settings import PaymentSettings, Settings
from storage.connect import open_stores
from tickets.concert_keys import ConcertKeys
from tickets.documents.library import open_library
from tickets.keys import TicketKeys, own_master
from workers.documents.mailed_files import AttachedDocuments
from workers.effects.handlers import open_effect_handlers
from workers.runner import run_workers

CHANCES = {
    CrashPoint.INTENT_CREATED: 0.3,
    CrashPoint.INTENT_CANCELED: 0.2,
    CrashPoint.UNITS_TAKEN: 0.5,
    CrashPoint.REFUND_CREATED: 0.2,
    CrashPoint.ORDER_UPDATED: 0.03,
    CrashPoint.STOCK_UPDATED: 0.03,
}
"""Lower for points that workers reach more often. The points within a purchase are reached only by
an app.
"""


async def run(options: argparse.Namespace) -> None:
    settings = PaymentSettings(secret_key=SECRET_KEY, webhook_secrets=(WEBHOOK_SECRET,), url=options.sandbox_url)
    keys = TicketKeys((own_master(Path(options.key_file)),))
    plan = CrashPlan(CHANCES, seed=options.seed, start=options.start)
    # The port only shows that the process is running; nothing is served there.
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", options.port)
    async with (
        server,
        open_stores(options.redis_url, options.mongo_url, DATABASE) as stores,
        open_library(ConcertKeys(keys, stores.ticket_keys), stores.ticket_documents, ()) as library,
        open_effect_handlers(library) as handlers,
    ):
        payments = OrderPayments(stores, open_provider(settings), reached=plan.reached)
        mailer = make_mailer(Settings(), AttachedDocuments(library))
        await run_workers(
            stores,
            options.redis_url,
            payments=payments,
            effect_handlers=handlers,
            mailer=mailer,
            fonts=library.fonts,
        )


def main() -> None:
    parser = argparse.ArgumentParser("python -m proofs.payments.crashing_worker")
    for name in ("--redis-url", "--mongo-url", "--sandbox-url", "--key-file"):
        parser.add_argument(name, required=True)
    for name in ("--seed", "--start", "--port"):
        parser.add_argument(name, type=int, required=True)
    asyncio.run(run(parser.parse_args()))


if __name__ == "__main__":
    main()
