"""`python -m proofs.payments.crashing_worker`: runs all workers, and kills itself at random crash
points.
"""

import argparse
import asyncio

from bench.clients.servers import DATABASE
from payments.providers import open_provider
from payments.saga.crash_points import CrashPoint
from payments.saga.order_payments import OrderPayments
from payments.sandbox.defaults import SECRET_KEY, WEBHOOK_SECRET
from proofs.payments.crashes import CrashPlan
from settings import PaymentSettings
from storage.connect import open_stores
from workers.runner import run_workers

CHANCES = {
    CrashPoint.INTENT_CREATED: 0.3,
    CrashPoint.INTENT_CANCELED: 0.2,
    CrashPoint.UNITS_TAKEN: 0.5,
    CrashPoint.REFUND_CREATED: 0.2,
    CrashPoint.ORDER_UPDATED: 0.03,
    CrashPoint.STOCK_UPDATED: 0.03,
}
"""Lower where workers pass more often. The points inside a purchase are reached only in an app."""


async def run(options: argparse.Namespace) -> None:
    settings = PaymentSettings(secret_key=SECRET_KEY, webhook_secrets=(WEBHOOK_SECRET,), url=options.sandbox_url)
    plan = CrashPlan(CHANCES, seed=options.seed, start=options.start)
    # The port only shows that the process runs; nothing is served.
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", options.port)
    async with server, open_stores(options.redis_url, options.mongo_url, DATABASE) as stores:
        payments = OrderPayments(stores, open_provider(settings), reached=plan.reached)
        await run_workers(stores, options.redis_url, payments=payments)


def main() -> None:
    parser = argparse.ArgumentParser("python -m proofs.payments.crashing_worker")
    for name in ("--redis-url", "--mongo-url", "--sandbox-url"):
        parser.add_argument(name, required=True)
    for name in ("--seed", "--start", "--port"):
        parser.add_argument(name, type=int, required=True)
    asyncio.run(run(parser.parse_args()))


if __name__ == "__main__":
    main()
