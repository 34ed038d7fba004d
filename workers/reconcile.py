"""Reconciles the provider, the orders and the hot state: a bounded part of the work in each run.

Cursors in MongoDB record the progress of the work, so any process can continue it.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import datetime

from domain.errors import TemporarilyUnavailable
from payments.provider import ProviderRefused, ProviderUnavailable
from payments.reconciliation.provider_side import ProviderSide
from payments.reconciliation.stock_side import compare_page
from payments.reconciliation.windows import (
    DISPUTE_PASSES,
    PASSES,
    Pass,
    Window,
    first_second,
    move_on,
    open_window,
)
from payments.saga.order_payments import OrderPayments, now_ms
from storage.connect import Stores
from telemetry.outage_log import OutageLog

log = logging.getLogger(__name__)
_outage = OutageLog(log, "reconciling payments")

Compare = Callable[[Window], Awaitable[datetime]]

STOCK = "stock"
WITHIN_S = 50.0
"""Shorter than a lease."""


class ReconcileWorker:
    name = "reconcile"
    interval_s = 10.0

    def __init__(self, payments: OrderPayments, *, clock: Callable[[], datetime] = now_ms) -> None:
        self._payments = payments
        self._clock = clock

    async def run_once(self, stores: Stores) -> int:
        """Compare one slice for each source and pass, and one page of orders. Return how many of
        these parts were done.
        """
        side = ProviderSide(stores, self._payments)
        sources = {
            "intents": (side.compare_intents, PASSES),
            "refunds": (side.compare_refunds, PASSES),
            "disputes": (side.compare_disputes, DISPUTE_PASSES),
        }
        done = 0
        for source, (compare, passes) in sources.items():
            for chosen in passes:
                done += await self._attempt(source, self._compare_window(stores, source, compare, chosen))
        return done + await self._attempt(STOCK, self._compare_stock(stores))

    async def _attempt(self, user: str, work: Awaitable[bool]) -> bool:
        """Do one part. A failure does not stop the others; the next run tries again."""
        try:
            async with asyncio.timeout(WITHIN_S):
                is_done = await work
        except (ProviderUnavailable, ProviderRefused, TemporarilyUnavailable, TimeoutError) as error:
            _outage.failed(user, error)
            return False
        except Exception:
            # One order that cannot be read must not stop the other parts.
            log.exception("reconciling %s failed", user)
            return False
        _outage.succeeded(user)
        return is_done

    async def _compare_window(self, stores: Stores, source: str, compare: Compare, chosen: Pass) -> bool:
        now, name = self._clock(), f"{source}:{chosen.name}"
        leased = await stores.reconciliations.lease_time(name, now, first=first_second(chosen, now))
        if leased is None:
            return False
        cursor = open_window(leased, chosen, now)
        if cursor is None or cursor.until is None:
            await stores.reconciliations.put_time(name, leased)
            return False
        done_since = await compare(Window(cursor.since, cursor.until))
        await stores.reconciliations.put_time(name, move_on(cursor, done_since))
        return True

    async def _compare_stock(self, stores: Stores) -> bool:
        cursor = await stores.reconciliations.lease_stock(STOCK, self._clock())
        if cursor is None:
            return False
        await stores.reconciliations.put_stock(STOCK, await compare_page(stores, cursor))
        return True
