"""`python -m proofs.payments.crashing_worker`: runs all workers, and kills itself at random points.

Before the kill, it has just finished one step of the saga of some order, and begun no other.
"""

import argparse
import asyncio
import os
import random
import signal
import sys
from collections import Counter

from bench.clients.servers import DATABASE
from payments.providers import open_provider
from payments.saga.crash_points import CrashPoint
from payments.saga.order_payments import OrderPayments
from payments.sandbox.defaults import SECRET_KEY, WEBHOOK_SECRET
from settings import PaymentSettings
from storage.connect import open_stores
from workers.runner import run_workers

POINTS = tuple(point for point in CrashPoint if point not in (CrashPoint.ORDER_INSERTED, CrashPoint.ORDER_RECORDED))
"""The points that workers reach. The other two are between the steps of a purchase, in an app."""
KILLED_AFTER = (1, 4)
"""The process ends at a visit of its crash point, the number of which is drawn from this range."""


class CrashPlan:
    """Kills the process at the nth visit of one crash point; both depend on the seed alone."""

    def __init__(self, seed: int, start: int) -> None:
        chosen = random.Random(f"{seed}:{start}")
        # Each start takes the next point, so that a few starts reach all of them.
        self.point = POINTS[start % len(POINTS)]
        self.visits_left = chosen.randint(*KILLED_AFTER)
        self.visits: Counter[CrashPoint] = Counter()

    def reached(self, point: CrashPoint) -> None:
        self.visits[point] += 1
        if point is self.point and self.visits[point] == self.visits_left:
            sys.stdout.write(f"killed at {point}\n")
            sys.stdout.flush()
            os.kill(os.getpid(), signal.SIGKILL)


async def run(options: argparse.Namespace) -> None:
    settings = PaymentSettings(secret_key=SECRET_KEY, webhook_secrets=(WEBHOOK_SECRET,), url=options.sandbox_url)
    plan = CrashPlan(options.seed, options.start)
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
